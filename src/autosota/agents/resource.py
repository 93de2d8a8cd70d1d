"""AgentResource (paper section 3.2): paper and repository to a task.

The repository is the one given, else the one that the paper names: in its front matter, then footnotes and clickable links, then
anywhere in the text; where these do not tell, on the project pages it links to. Templates, libraries and data sets are dropped
with a reason, copies of an address and forks merged.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from autosota import assets, paper, repositories
from autosota.agents import linked
from autosota.downloads import Downloads
from autosota.errors import UsageError
from autosota.metrics.vocabulary import normalize
from autosota.paper import kinds
from autosota.paper.results import method_names
from autosota.records import Link, Paper, Repository, Task

_ORDER = {"front": 0, "footnote": 1, "annotation": 1, "body": 2, "references": 3}
_HOSTS = {"github.com", "gitlab.com", "bitbucket.org", "codeberg.org", "gitee.com", "huggingface.co", "anonymous.4open.science"}
_PAGES = re.compile(r"([\w-]+)\.github\.io", re.IGNORECASE)
_NOT_OWNERS = frozenset(
    ("features", "topics", "about", "orgs", "sponsors", "marketplace", "collections", "blog", "docs", "papers")
)
_LIBRARIES = re.compile(
    r"^(?:huggingface|pytorch|tensorflow|scikit-learn|numpy|scipy|keras-team|apache|jax-ml|pandas-dev|matplotlib|dmlc|ultralytics|"
    r"open-mmlab|explosion|python|vllm-project|stanfordnlp|lightning-ai|pyg-team|optuna|ray-project|wandb|mlflow)/|"
    r"^(?:facebookresearch/(?:fairseq|faiss|detectron2|hydra|xformers)|google/(?:jax|flax|sentencepiece)|nvidia/(?:apex|megatron-lm)|"
    r"microsoft/(?:deepspeed|lightgbm|onnxruntime)|openai/(?:gym|baselines|openai-python|clip|tiktoken)|rwightman/.*|"
    r"eleutherai/lm-evaluation-harness|allenai/(?:allennlp|longformer)|google-research/(?:bert|google-research))$"
)
_TEMPLATE = re.compile(
    r"template|(?:^|[-_/])(?:awesome|dotfiles|latex|overleaf)|style[-_]?files?|(?:^|/)(?:icml|neurips|iclr|acl|cvpr)[-_]?\d*$",
    re.IGNORECASE,
)
_SAYS_CODE = re.compile(
    r"\b(?:code|implementation|source|repository|scripts|project page|software)\b[^.]{0,80}"
    r"\b(?:available|released?|found|at|here|public)\b|\bour (?:code|implementation|repository)|\bcode\s*:",
    re.IGNORECASE,
)


SURE = 2.0
"""Least score of a repository that is taken without asking: named in the front matter, called the code, or beside the paper."""


@dataclass(frozen=True)
class Candidate:
    """A repository that the paper names."""

    url: str
    """As it can be obtained."""
    link: Link
    score: float
    reason: str


class Resource:
    """Finds and gets the paper and its repository. `local`: project pages may lie on this machine and in private networks."""

    def __init__(self, *, local: bool = False) -> None:
        self._local = local

    def run(self, paper_source: str | None, repository: str | None, *, folder: Path, task_folder: Path | None) -> Task:
        """The task. Downloads and unpacked archives go below `folder`; relative paths also count from `task_folder`.

        Raises UsageError where there is no paper, no repository, or several that could be meant.
        """
        if paper_source is None and repository is None:
            raise UsageError("neither a paper nor a repository is given", "`autosota run PAPER REPO`, or --task FILE")
        read = self._paper(paper_source, folder, task_folder) if paper_source else None
        notes: list[str] = []
        if repository is not None:
            obtained = repositories.obtain(repository, folder, task_folder)
        else:
            assert read is not None and paper_source is not None
            obtained = self._named(read, _home(read.source, task_folder), folder, notes)
        root = Path(obtained.path)
        if paper_source is None:
            read = _inside(root, folder, notes)
        contents = repositories.inspect(root)
        more = (*obtained.notes, *notes, *repositories.notes(contents))
        return Task(
            paper=read,
            repository=obtained.model_copy(update={"notes": more}),
            readiness=repositories.readiness(contents),
            assets=assets.find(root),
            classification=kinds.classify(read) if read is not None else None,
        )

    def _paper(self, source: str, folder: Path, task_folder: Path | None) -> Paper:
        beside = task_folder / source if task_folder and not Path(source).exists() else None
        chosen = str(beside) if beside is not None and _exists(beside) else source
        return paper.read(chosen, cache=folder)

    def _named(self, read: Paper, home: Path | None, folder: Path, notes: list[str]) -> Repository:
        """The repository the paper names. Raises UsageError where it names none that can be had."""
        found, dropped = candidates(read, home)
        if not _settled(found):
            told, pages = linked.follow(read, Downloads(folder / "pages", local=self._local, stall=10.0), _remote, notes)
            found, dropped = candidates(told, home) if pages else (found, dropped)
        notes += dropped[:10]
        failures = []
        likely = [candidate for candidate in found if candidate.score >= SURE]
        close = _close(found)
        if len(close) > 1 or (found and not likely):
            named = ", ".join(f"{candidate.url} ({candidate.reason})" for candidate in (close or found)[:4])
            raise UsageError(f"which repository is {read.title!r}'s own cannot be told: {named}", "give it as second argument")
        for candidate in likely[:3]:
            try:
                obtained = repositories.obtain(candidate.url, folder, home)
            except UsageError as error:
                failures.append(error.message)
                continue
            notes.insert(0, f"repository chosen from the paper: {candidate.url} ({candidate.reason})")
            others = [other.url for other in found if other is not candidate]
            notes += [f"also named in the paper: {', '.join(others[:5])}"] if others else []
            return obtained
        told_pages = [note for note in notes if note.startswith("project page ")]
        if failures:
            raise UsageError(
                "; ".join((*failures, *told_pages)),
                "give the repository as second argument: a directory, an archive or a git address",
            )
        why = f" ({'; '.join((*told_pages, *dropped[:3]))})" if told_pages or dropped else ""
        raise UsageError(
            f"{read.title!r} names no repository of its own{why}",
            "give it as second argument: a directory, an archive or a git address",
        )


# ── candidates ────────────────────────────────────────────────────────────────────────────────────────────────────────


def candidates(read: Paper, home: Path | None) -> tuple[list[Candidate], list[str]]:
    """Repositories the paper names, most likely first, and why other addresses were dropped. `home`: the paper's own folder."""
    best: dict[str, Candidate] = {}
    dropped: list[str] = []
    sentences = " ".join([read.abstract, *(section.text for section in read.sections)])
    for link in read.links:
        url = _local(link.url, home) or _remote(link.url)
        if url is None:
            continue
        unrelated = _unrelated(url, read)
        if unrelated:
            dropped.append(f"{url}: {unrelated}")
            continue
        candidate = _rated(url, link, read, sentences)
        known = best.get(_identity(url))
        if known is None or candidate.score > known.score:
            best[_identity(url)] = candidate
    ordered = sorted(best.values(), key=lambda candidate: -candidate.score)
    likely = _merged([candidate for candidate in ordered if candidate.score > 0], dropped)
    dropped += [f"{candidate.url}: only cited" for candidate in ordered if candidate.score <= 0]
    return likely, list(dict.fromkeys(dropped))


def _close(found: list[Candidate]) -> list[Candidate]:
    """Those that nothing tells from the best one."""
    likely = [candidate for candidate in found if candidate.score >= SURE]
    return [candidate for candidate in found if likely and candidate.score > likely[0].score - 1.0]


def _settled(found: list[Candidate]) -> bool:
    """Is one repository meant, by its own address rather than that of a page which may or may not be named after it?"""
    close = _close(found)
    return len(close) == 1 and not _PAGES.fullmatch(urlsplit(close[0].link.url).hostname or "")


def _merged(ordered: list[Candidate], dropped: list[str]) -> list[Candidate]:
    """Without forks and copies: of repositories of one name, the one at the most telling place. Equal ones are all kept."""

    def rank(candidate: Candidate) -> tuple[int, bool, float]:
        return _ORDER[candidate.link.where], "anonymous" in urlsplit(candidate.url).netloc, -candidate.score

    kept = []
    for candidate in ordered:
        same = [other for other in ordered if re.match(r"[a-z+]+://", other.url) and _name(other.url) == _name(candidate.url)]
        best = min(same, key=rank, default=candidate)
        if rank(best) < rank(candidate) and re.match(r"[a-z+]+://", candidate.url):
            dropped.append(f"{candidate.url}: of the same name as {best.url}, which is {best.reason.partition(',')[0]}")
        else:
            kept.append(candidate)
    return kept


def _name(url: str) -> str:
    return urlsplit(url).path.rstrip("/").rpartition("/")[2].removesuffix(".git").lower()


def _rated(url: str, link: Link, read: Paper, sentences: str) -> Candidate:
    score, reasons = (
        3.0 - 1.5 * _ORDER[link.where],
        [f"in the {link.where}" if link.where != "annotation" else "a clickable link"],
    )
    if any(_SAYS_CODE.search(around) for around in (_around(sentences, link.url), link.text, *_noted(sentences, link))):
        score, reasons = score + 2.0, [*reasons, "called the code"]
    name = normalize(urlsplit(url).path.rstrip("/").rpartition("/")[2].removesuffix(".git"))
    title = {normalize(word) for word in re.findall(r"[A-Za-z][\w-]{3,}", read.title)}
    if name and any(method in name or name in method for method in method_names(read) if len(name) >= 3):
        score, reasons = score + 2.0, [*reasons, "named like the method"]
    elif any(len(word) > 4 and word in name for word in title):
        score, reasons = score + 1.0, [*reasons, "named like the title"]
    if not re.match(r"[a-z+]+://", url):
        score, reasons = score + 2.0, [*reasons, "beside the paper"]
    return Candidate(url, link, score, ", ".join(reasons))


def _around(sentences: str, url: str) -> str:
    position = sentences.find(url.removeprefix("https://").removeprefix("http://")[:60])
    return sentences[max(0, position - 160) : position + 20] if position >= 0 else ""


def _noted(sentences: str, link: Link) -> list[str]:
    """What stands before the mark of the footnote that an address is in."""
    mark = re.match(r"\s*(\d{1,2})\s?(?=https?:|www\.|[A-Z])", link.text) if link.where == "footnote" else None
    if not mark:
        return []
    marks = re.finditer(rf"(?<=[a-z.,)])\s?{mark[1]}(?=[\s.,;])(?!\s?https?:)", sentences)
    return [
        re.split(r"(?<=[a-z)])\.\s", sentences[max(0, match.start() - 120) : match.start()].rstrip("."))[-1] for match in marks
    ]


def _local(url: str, home: Path | None) -> str | None:
    """A directory, archive or repository on this machine that the paper links to by a relative path or file://."""
    if url.startswith("file://"):
        path = Path(url.removeprefix("file://"))
    elif home is not None and not re.match(r"[a-z][a-z+.-]*:|//|#|www\.", url, re.IGNORECASE):
        path = home / url.partition("#")[0]
        if not path.resolve().is_relative_to(home.resolve().parent):
            return None
    else:
        return None
    usable = _exists(path) and (
        path.is_dir() or path.name.lower().endswith(".zip") or ".tar" in path.name.lower() or path.suffix == ".tgz"
    )
    return str(path.resolve()) if usable else None


def _remote(url: str) -> str | None:
    """The address of a repository on a known host; None for every other address."""
    match = re.match(r"(?:ssh://)?git@([\w.-]+)[:/](.+)", url)
    if match:
        url = f"https://{match[1]}/{match[2]}"
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower().removeprefix("www."), parts.port
    except ValueError:
        return None
    segments = [segment for segment in parts.path.split("/") if segment]
    if host == "raw.githubusercontent.com":
        host = "github.com"
    pages = _PAGES.fullmatch(host)
    if pages and segments:
        return f"https://github.com/{pages[1]}/{segments[0]}"
    known = host in _HOSTS or host.startswith(("gitlab.", "git."))
    if not (known or parts.path.endswith(".git")) or parts.scheme not in {"http", "https", "git"} or len(segments) < 2:
        return None
    if segments[0] in _NOT_OWNERS:
        return None
    if not known:
        return f"{parts.scheme}://{host}{f':{port}' if port else ''}{parts.path}"
    return repositories.clone_url(f"https://{host}{parts.path}").removesuffix(".git")


def _identity(url: str) -> str:
    return re.sub(r"^[a-z+]+://(?:www\.)?|\.git$|/$", "", url.lower())


def _unrelated(url: str, read: Paper) -> str:
    """Why a repository cannot be the paper's own; "" where it may be."""
    parts = urlsplit(url)
    if not parts.scheme:
        return ""
    segments = [segment.lower() for segment in parts.path.split("/") if segment]
    methods = method_names(read)
    own = any(method in normalize(segments[-1]) for method in methods)
    if parts.hostname == "huggingface.co":
        return "a data set" if segments[0] == "datasets" else "a model" if segments[0] != "spaces" and not own else ""
    if _TEMPLATE.search("/".join(segments)):
        return "a template"
    if _LIBRARIES.match("/".join(segments)) and not own:
        return "a library of others"
    if re.search(r"(?:^|[-_])datasets?$", segments[-1]) and not own:
        return "a data set"
    return ""


def _inside(root: Path, cache: Path, notes: list[str]) -> Paper | None:
    """The paper that lies in the repository under a telling name, or as the only PDF at its top; None where there is none."""
    places = [root / folder / f"paper.{ending}" for folder in ("", "docs", "paper") for ending in ("pdf", "tex", "md", "html")]
    found = [path for path in places if path.is_file() and path.resolve().is_relative_to(root.resolve())]
    if not found:
        alone = [path for path in root.glob("*.pdf") if path.is_file() and not path.is_symlink()]
        found = alone if len(alone) == 1 else []
    for path in found[:1]:
        name = path.relative_to(root).as_posix()
        try:
            read = paper.read(str(path), cache=cache)
        except UsageError as error:
            notes.append(f"{name} in the repository cannot be read as its paper: {error.message}")
            continue
        notes.append(f"paper found in the repository: {name}")
        return read
    return None


def _home(source: str, task_folder: Path | None) -> Path | None:
    """The folder that relative links of the paper start from."""
    path = Path(source.removeprefix("file://"))
    return path.resolve().parent if _exists(path) else task_folder


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
