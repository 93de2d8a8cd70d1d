"""Repositories found in papers and obtained from directories, archives and git; readiness; assets."""

from __future__ import annotations

import http.server
import io
import os
import subprocess
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from autosota import archives, assets, repositories
from autosota.agents import linked
from autosota.agents.resource import SURE, Resource, candidates
from autosota.errors import UsageError
from autosota.paper import download
from autosota.records import Link, Paper, Section, Task

FILES = {
    "train.py": "import numpy as np\nprint('accuracy: 0.9')\n",
    "README.md": "# FOO\n\nRun `python train.py`.\n",
    "src/model.py": "def fit():\n    return 1\n",
}


def tree(folder: Path, files: dict[str, str] | None = None) -> Path:
    for name, text in (FILES if files is None else files).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "protocol.file.allow=always"]
    answer = subprocess.run(["git", "-C", str(folder), *identity, *arguments], capture_output=True, text=True, check=True)
    return answer.stdout.strip()


def repository(folder: Path, files: dict[str, str] | None = None) -> Path:
    tree(folder, files)
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", "first")
    return folder


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.lstat().st_mtime_ns, path.lstat().st_size) for path in sorted(folder.rglob("*"))}


def run(tmp_path: Path, source: str | None, paper: str | None = None, task_folder: Path | None = None) -> Task:
    return Resource().run(paper, source, folder=tmp_path / "run", task_folder=task_folder)


def names(task: Task) -> set[str]:
    root = Path(task.repository.path)
    return {path.relative_to(root).as_posix() for path in repositories.files(root)}


# ── getting a repository ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_directory_is_used_in_place_and_never_written_to(tmp_path: Path) -> None:
    folder = repository(tmp_path / "foo")
    before = snapshot(folder)
    task = run(tmp_path, str(folder))
    assert task.repository.path == str(folder) and task.repository.kind == "directory"
    assert task.repository.commit == git(folder, "rev-parse", "HEAD")
    assert snapshot(folder) == before
    assert task.readiness.ready and "2 Python" in task.readiness.reasons[0]
    assert run(tmp_path, str(tree(tmp_path / "plain"))).repository.commit is None


def test_a_relative_directory_counts_from_the_task_file(tmp_path: Path) -> None:
    folder = tree(tmp_path / "project" / "code")
    assert run(tmp_path, "code", task_folder=tmp_path / "project").repository.path == str(folder)


@pytest.mark.parametrize("form", ["path of a bare repository", "file address", "path of a bundle-like clone"])
def test_git_is_cloned_at_a_commit(tmp_path: Path, form: str) -> None:
    origin = repository(tmp_path / "origin")
    bare = tmp_path / "foo.git"
    subprocess.run(["git", "clone", "-q", "--bare", str(origin), str(bare)], check=True, capture_output=True)
    source = {"path of a bare repository": str(bare), "file address": bare.as_uri(), "path of a bundle-like clone": f"{bare}/"}[
        form
    ]
    task = run(tmp_path, source)
    assert task.repository.kind == "git" and task.repository.commit == git(origin, "rev-parse", "HEAD")
    assert names(task) == set(FILES) and Path(task.repository.path).is_relative_to(tmp_path / "run")


def test_hooks_and_submodules_of_a_clone_do_nothing(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    inner = repository(tmp_path / "inner")
    origin = repository(tmp_path / "origin")
    git(origin, "submodule", "add", "-q", str(inner), "lib")
    git(origin, "commit", "-q", "-m", "with a submodule")
    bare = tmp_path / "foo.git"
    subprocess.run(["git", "clone", "-q", "--bare", str(origin), str(bare)], check=True, capture_output=True)
    for hook in ("post-checkout", "post-upload-pack", "pre-receive"):
        (bare / "hooks").mkdir(exist_ok=True)
        (bare / "hooks" / hook).write_text(f"#!/bin/sh\ntouch {marker}\n")
        (bare / "hooks" / hook).chmod(0o755)
    task = run(tmp_path, str(bare))
    assert not marker.exists()
    assert any("submodules that were not fetched: lib" in note for note in task.repository.notes)


@pytest.mark.parametrize(
    "source",
    [
        "ext::sh -c touch% /tmp/owned",
        "--upload-pack=touch owned",
        "http://127.0.0.1:9/a/b.git",
        "file:///nowhere/at/all",
        "nowhere",
        "x\x00y",
    ],
)
def test_what_cannot_be_obtained_ends_with_a_hint(tmp_path: Path, source: str) -> None:
    with pytest.raises(UsageError) as failure:
        run(tmp_path, source)
    assert failure.value.hint and "directory" in failure.value.hint + "directory" * ("path" in failure.value.hint)
    assert not (tmp_path / "run" / "repository").exists()


# ── archives ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def tar(path: Path, members: list[tuple[str, bytes | str | None]], mode: str = "w:gz") -> Path:
    """Members: bytes are a file, text the goal of a symbolic link, None a device."""
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in members:
            entry = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
            else:
                entry.type = tarfile.SYMTYPE if content is not None else tarfile.CHRTYPE
                entry.linkname = content or ""
                archive.addfile(entry)
    return path


def packed(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("form", ["zip", "tar.gz", "tar.xz", "no suffix"])
def test_archives_are_unpacked_below_the_run(tmp_path: Path, form: str) -> None:
    inside = {f"foo-main/{name}": text.encode() for name, text in FILES.items()}
    if form == "zip":
        path = packed(tmp_path / "foo.zip", inside)
    else:
        path = tar(
            tmp_path / ("foo" if form == "no suffix" else f"foo.{form}"), list(inside.items()), "w:xz" if "xz" in form else "w:gz"
        )
    task = run(tmp_path, str(path))
    assert task.repository.kind == "archive" and names(task) == set(FILES)
    assert Path(task.repository.path).is_relative_to(tmp_path / "run")


@pytest.mark.parametrize(
    "name", ["../evil.py", "/tmp/evil.py", "a/../../evil.py", "..\\evil.py", "C:\\evil.py", "a/b/../../../evil"]
)
def test_members_outside_are_refused_and_nothing_is_left(tmp_path: Path, name: str) -> None:
    before = set(tmp_path.iterdir())
    for path in (
        tar(tmp_path / "a.tar.gz", [("good.py", b"1"), (name, b"bad")]),
        packed(tmp_path / "a.zip", {"good.py": b"1", name: b"bad"}),
    ):
        with pytest.raises(UsageError, match="hostile"):
            run(tmp_path, str(path))
    assert set(tmp_path.iterdir()) - before == {tmp_path / "a.tar.gz", tmp_path / "a.zip", tmp_path / "run"}
    assert not list((tmp_path / "run").iterdir())


def test_links_that_leave_are_dropped_and_devices_too(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    members: list[tuple[str, bytes | str | None]] = [
        ("train.py", b"print(1)"),
        ("inside.py", "train.py"),
        ("absolute", str(secret)),
        ("up", "../../secret"),
        ("folder", ".."),
        ("folder/escaped.py", b"through a link"),
        ("null", None),
    ]
    task = run(tmp_path, str(tar(tmp_path / "links.tar", members, "w")))
    root = Path(task.repository.path)
    assert (root / "inside.py").read_text() == "print(1)"
    assert not (root / "absolute").exists() and not (root / "up").is_symlink() and not (root / "null").exists()
    assert not (tmp_path / "run" / "escaped.py").exists() and not (root.parent / "escaped.py").exists()
    assert any("links that leave" in note for note in task.repository.notes)
    assert any("special files" in note for note in task.repository.notes)


def test_bombs_are_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "LARGEST", 4 * 2**20)
    monkeypatch.setattr(archives, "MOST_FILES", 100)
    large = packed(tmp_path / "large.zip", {f"{number}.txt": bytes(2**20) for number in range(8)})
    many = packed(tmp_path / "many.zip", {f"{number}.py": b"" for number in range(200)})
    for path, words in ((large, "bomb"), (many, "files")):
        with pytest.raises(UsageError, match=words):
            run(tmp_path, str(path))
        assert not list((tmp_path / "run").iterdir())


def test_broken_archives_and_other_files_are_refused(tmp_path: Path) -> None:
    whole = packed(tmp_path / "whole.zip", {"a.py": os.urandom(5000)}).read_bytes()
    damaged = bytearray(whole)
    damaged[200:400] = bytes(200)
    for name, content in {
        "text.zip": b"not a zip",
        "damaged.zip": bytes(damaged),
        "cut.tar.gz": b"\x1f\x8b\x08" + bytes(20),
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UsageError, match=r"archive"):
            run(tmp_path, str(tmp_path / name))


# ── readiness ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("files", "ready", "words"),
    [
        ({}, False, "empty"),
        ({"README.md": "# FOO\n\nCode will be released soon. Stay tuned!"}, False, "will be released"),
        ({"README.md": "# FOO\n\nComing soon"}, False, "Coming soon"),
        ({"paper.txt": "x"}, False, "no source files"),
        ({"README.md": "Pretrained models coming soon.", "a.py": "1"}, True, "1 Python"),
        ({"main.R": "1", "run.sh": "1"}, True, "no Python"),
        ({"analysis.ipynb": "{}"}, True, "1 Python notebooks"),
    ],
)
def test_readiness_is_permissive_and_gives_reasons(tmp_path: Path, files: dict[str, str], ready: bool, words: str) -> None:
    task = run(tmp_path, str(tree(tmp_path / "foo", files)))
    assert task.readiness.ready is ready and words in "; ".join(task.readiness.reasons)


def test_pointers_of_large_file_storage_are_noticed(tmp_path: Path) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 12345\n"
    task = run(tmp_path, str(tree(tmp_path / "foo", {**FILES, "data/x.npz": pointer})))
    assert any("1 files are Git LFS pointers" in note and "data/x.npz" in note for note in task.repository.notes)


def test_links_and_odd_names_do_not_lead_out_or_break(tmp_path: Path) -> None:
    folder = tree(tmp_path / "foo")
    (tmp_path / "outside.py").write_text("open('/etc/passwd')")
    (folder / "leaves.py").symlink_to(tmp_path / "outside.py")
    (folder / "up").symlink_to(tmp_path)
    (folder / "loop").symlink_to(folder / "loop")
    os.mkfifo(folder / "pipe.py")
    with open(os.fsencode(folder) + b"/\xff\xfe.py", "wb") as file:
        file.write(b"\xff\x00 x = (")
    task = run(tmp_path, str(folder))
    assert task.readiness.ready and not any("passwd" in asset.name for asset in task.assets)


# ── which repository the paper names ──────────────────────────────────────────────────────────────────────────────────


def paper_with(*links: tuple[str, str], title: str = "FOO: wines told apart", text: str = "") -> Paper:
    found = tuple(Link(url=url, where=where) for url, where in links)  # type: ignore[arg-type]
    return Paper(source="paper.md", digest="0", title=title, links=found, sections=(Section(title="Introduction", text=text),))


def chosen(paper: Paper) -> list[str]:
    return [candidate.url for candidate in candidates(paper, None)[0]]


def test_the_front_matter_comes_first_and_copies_are_merged() -> None:
    paper = paper_with(
        ("https://github.com/other/thing", "body"),
        ("https://github.com/lab/foo/tree/main/src", "footnote"),
        ("http://www.github.com/Lab/FOO.git", "front"),
        ("git@github.com:lab/foo.git", "body"),
        ("https://github.com/cited/work", "references"),
    )
    found = chosen(paper)
    assert [url.lower().rstrip("/") for url in found[:1]] == ["https://github.com/lab/foo"]
    assert sum("foo" in url.lower() for url in found) == 1 and not any("cited" in url for url in found)


@pytest.mark.parametrize(
    "address",
    [
        "https://github.com/Lab/Foo",
        "http://github.com/lab/foo/",
        "https://www.github.com/lab/foo.git",
        "git@github.com:lab/foo.git",
        "ssh://git@github.com/lab/foo",
        "https://github.com/lab/foo.git/tree/main/src",
        "https://github.com/lab/foo/blob/main/a.py#L3",
        "https://github.com/lab/foo/wiki/Home",
        "https://raw.githubusercontent.com/lab/foo/main/a.py",
        "https://github.com/lab/foo?tab=readme",
    ],
)
def test_every_way_to_write_an_address_is_one_repository(address: str) -> None:
    assert chosen(paper_with((address, "body"), ("https://github.com/lab/foo", "front"))) == ["https://github.com/lab/foo"]
    assert [url.lower() for url in chosen(paper_with((address, "front")))] == ["https://github.com/lab/foo"]


def test_of_forks_the_one_in_the_front_matter_is_taken_and_the_others_are_said() -> None:
    paper = paper_with(
        ("https://github.com/somebody/foo", "footnote"),
        ("https://github.com/lab/foo", "front"),
        ("https://anonymous.4open.science/r/foo", "front"),
        ("http://[", "front"),
        text="Our code is available at https://github.com/somebody/foo and was tested.",
    )
    found, dropped = candidates(paper, None)
    assert [candidate.url for candidate in found] == ["https://github.com/lab/foo"]
    others = [line for line in dropped if "of the same name as https://github.com/lab/foo, which is in the front" in line]
    assert len(others) == 2


def test_equal_repositories_of_one_name_are_not_decided() -> None:
    assert len(chosen(paper_with(("https://github.com/a/foo", "front"), ("https://github.com/b/foo", "front")))) == 2


@pytest.mark.parametrize(
    ("page", "pdf"),
    [
        ("https://openreview.net/forum?id=aB-3&noteId=x", "https://openreview.net/pdf?id=aB-3"),
        ("https://arxiv.org/abs/2301.01234v2", "https://arxiv.org/pdf/2301.01234v2"),
        ("https://arxiv.org/abs/cs/0112017", "https://arxiv.org/pdf/cs/0112017"),
        ("https://www.arxiv.org/pdf/2301.01234.pdf", "https://arxiv.org/pdf/2301.01234"),
        ("https://aclanthology.org/2023.acl-long.1/", "https://aclanthology.org/2023.acl-long.1.pdf"),
        ("https://huggingface.co/papers/2301.01234", "https://arxiv.org/pdf/2301.01234"),
        ("https://openreview.net/forum", "https://openreview.net/forum"),
        ("https://example.org/abs/2301.01234", "https://example.org/abs/2301.01234"),
        ("http://[", "http://["),
    ],
)
def test_a_page_about_a_paper_leads_to_its_pdf(page: str, pdf: str) -> None:
    assert download.direct(page) == pdf


# ── project pages ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def site() -> Iterator[tuple[str, dict[str, str]]]:
    """A web server and what it serves, by path."""
    served: dict[str, str] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = served.get(self.path)
            if text is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}", served
        running.shutdown()
        thread.join()


def named(tmp_path: Path, page: str, *, local: bool = True) -> UsageError:
    """What a paper that links to a project page ends with, where the repository cannot be cloned."""
    (tmp_path / "paper.md").write_text(f"# FOO tells wines apart\n\n[Project page]({page})\n\n## Abstract\n\nWe do.\n")
    with pytest.raises(UsageError) as failure:
        Resource(local=local).run(str(tmp_path / "paper.md"), None, folder=tmp_path / "run", task_folder=None)
    return failure.value


def test_the_repository_is_taken_from_the_project_page(tmp_path: Path, site: tuple[str, dict[str, str]]) -> None:
    address, served = site
    served["/foo"] = (
        '<html><a href="https://github.com/nerfies/nerfies.github.io">template</a><a href="/lab/other.git">x</a>'
        f"<p><a class='b' href='{address}/lab/foo.git'><i class=x></i>Code</a> <a href={address}/someone/else.git>this</a>"
        "<a href='file:///etc/a/b.git'>Code</a><a href='http://['>Code</a>"
    )
    error = named(tmp_path, f"{address}/foo")
    assert f"{address}/lab/foo.git: cannot be cloned" in error.message and "else" not in error.message
    assert f"project page {address}/foo links to {address}/lab/foo.git" in error.message


@pytest.mark.parametrize(
    ("where", "text", "sure"),
    [
        ("front", "", True),
        ("footnote", "1 Project page: https://rivals.github.io/bar", True),
        ("footnote", "", False),
        ("annotation", "", False),
    ],
)
def test_the_page_of_another_work_does_not_decide(where: str, text: str, sure: bool) -> None:
    page = Link(url="https://rivals.github.io/bar", where=where, text=text)  # type: ignore[arg-type]
    paper = paper_with().model_copy(update={"links": (page,)})
    assert linked.pages(paper) == [page]
    told = paper.model_copy(update={"links": (linked._as_named("https://github.com/rivals/code-of-bar", page),)})
    (candidate,) = candidates(told, None)[0]
    assert (candidate.score >= SURE) is sure


def test_a_page_that_cannot_be_read_is_no_failure_of_its_own(tmp_path: Path, site: tuple[str, dict[str, str]]) -> None:
    address, served = site
    served["/large"] = "<a href='https://github.com/lab/foo'>Code</a>" + "x" * (linked.MOST_BYTES + 1)
    for page, words in ((f"{address}/gone", "404"), (f"{address}/large", "more than 2 MB"), ("http://127.0.0.1:9/", "refused")):
        error = named(tmp_path, page)
        assert "names no repository" in error.message and f"project page {page} was not read" in error.message
        assert words in error.message


def test_a_page_on_this_machine_is_not_asked_for(tmp_path: Path, site: tuple[str, dict[str, str]]) -> None:
    address, served = site
    served["/foo"] = "<a href='https://github.com/lab/foo'>Code</a>"
    assert "private network" in named(tmp_path, f"{address}/foo", local=False).message


def test_a_hostile_page_is_read_at_once() -> None:
    text = ("<a " + "href=" * 700 + "<") * 500 + "<a href='https://github.com/lab/foo/tree/main'>Code</a>" + "<a " * 10_000
    assert list(linked._repositories(text, lambda url: url if "lab" in url else None)) == ["https://github.com/lab/foo/tree/main"]


def test_templates_libraries_and_data_are_dropped_with_the_reason() -> None:
    paper = paper_with(
        ("https://github.com/huggingface/transformers", "front"),
        ("https://github.com/pytorch/pytorch", "front"),
        ("https://github.com/someone/neurips-latex-template", "front"),
        ("https://huggingface.co/datasets/lab/wines", "front"),
        ("https://github.com/lab/wine-dataset", "front"),
        ("https://arxiv.org/abs/2301.00001", "front"),
        ("https://lab.github.io/foo/", "footnote"),
    )
    found, dropped = candidates(paper, None)
    assert [candidate.url for candidate in found] == ["https://github.com/lab/foo"]
    reasons = " ".join(dropped)
    for words in ("a library", "a template", "a data set"):
        assert words in reasons


def test_a_library_is_kept_where_it_is_the_papers_own() -> None:
    assert chosen(paper_with(("https://github.com/pytorch/pytorch", "footnote"), title="PyTorch: an imperative library"))


def test_a_paper_alone_is_enough_beside_its_repository(tmp_path: Path) -> None:
    tree(tmp_path / "paper" / "repository")
    text = "# FOO\n\nThe code is in [the folder beside](./repository).\n\n## Abstract\n\nWe do.\n"
    (tmp_path / "paper" / "paper.md").write_text(text)
    task = run(tmp_path, None, str(tmp_path / "paper" / "paper.md"))
    assert task.repository.path == str(tmp_path / "paper" / "repository") and task.repository.kind == "directory"
    assert "chosen from the paper" in task.repository.notes[0]


@pytest.mark.parametrize(
    ("links", "words"),
    [
        ([], "names no repository"),
        (["https://github.com/pytorch/pytorch"], "a library"),
        (["https://github.com/a/one", "https://github.com/b/two"], "cannot be told"),
        (["./../../../../etc"], "names no repository"),
    ],
)
def test_a_paper_that_does_not_decide_asks(tmp_path: Path, links: list[str], words: str) -> None:
    text = "# Wines\n\n" + " ".join(f"[x]({link})" for link in links) + "\n\n## Introduction\n\nWe do.\n"
    (tmp_path / "paper.md").write_text(text)
    with pytest.raises(UsageError, match=words) as failure:
        run(tmp_path, None, str(tmp_path / "paper.md"))
    assert "second argument" in failure.value.hint


# ── assets ────────────────────────────────────────────────────────────────────────────────────────────────────────────

CODE = """\
import pandas as pd, torch, torchvision
from datasets import load_dataset
from sklearn.datasets import fetch_california_housing, fetch_openml
from transformers import AutoModel

ROOT = "data"
LOG = open("log.txt", "w")
housing = fetch_california_housing()
adult = fetch_openml("adult", version=2)
glue = load_dataset("nyu-mll/glue", "sst2")
bert = AutoModel.from_pretrained("bert-base-uncased")
cifar = torchvision.datasets.CIFAR10(root="data/cifar", download=True)
table = pd.read_csv(ROOT + "/wines.csv")
there = pd.read_csv("data/there.csv")
weights = torch.load("checkpoints/best.pt")
torch.hub.load_state_dict_from_url("https://example.org/weights.pth")
name = input()
pd.read_csv(name)
"""
README = """\
# FOO
Data: https://zenodo.org/record/12345 and [weights](https://drive.google.com/file/d/1A2b3C4d5E6f7G8h9I0j/view).
    wget https://example.org/files/corpus.tar.gz -O data/corpus.tar.gz
![badge](https://img.shields.io/badge/x.zip) https://github.com/lab/foo/archive/main.zip
"""


def test_assets_are_registered_with_their_evidence(tmp_path: Path) -> None:
    folder = tree(tmp_path / "foo", {"load.py": CODE, "README.md": README, "data/there.csv": "a,b\n1,2\n"})
    found = {asset.name: asset for asset in assets.find(folder)}
    assert found["california_housing"].kind == "dataset" and found["adult"].evidence.line == 9
    assert found["nyu-mll/glue"].url == "https://huggingface.co/datasets/nyu-mll/glue"
    assert found["bert-base-uncased"].kind == "model" and found["bert-base-uncased"].evidence.file == "load.py"
    assert found["CIFAR10"].path == "data/cifar" and not found["CIFAR10"].present
    assert found["wines.csv"].path == "data/wines.csv" and not found["wines.csv"].present
    assert found["there.csv"].present and found["there.csv"].bytes == 8
    assert found["best.pt"].kind == "checkpoint" and found["weights.pth"].kind == "checkpoint"
    assert found["12345"].kind == "dataset" and found["12345"].evidence.line == 2
    assert found["Google Drive 1A2b3C4d5E6f7G8h9I0j"].kind == "checkpoint"
    assert found["corpus.tar.gz"].path == "data/corpus.tar.gz"
    assert not any(
        "badge" in (asset.url or "") or "archive/main" in (asset.url or "") or asset.name == "log.txt" for asset in found.values()
    )


def test_code_that_does_not_parse_or_is_too_deep_is_skipped(tmp_path: Path) -> None:
    files = {
        "two.py": "print 'x'",
        "deep.py": "x = " + "(" * 5000 + ")" * 5000,
        "sum.py": "x = " + "+".join(["1"] * 20000),
        "a.py": "fetch_x()",
    }
    assert [asset.name for asset in assets.find(tree(tmp_path / "foo", files))] == ["x"]


def test_the_paper_may_lie_in_the_repository(tmp_path: Path) -> None:
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "train.py").write_text("print('accuracy: 0.9')\n")
    (folder / "paper.md").write_text("# A Method of Rules\n\n## Abstract\n\nWe make rules.\n\n## Results\n\nGood.\n")
    task = Resource().run(None, str(folder), folder=tmp_path / "run", task_folder=None)
    assert task.paper is not None
    assert task.paper.title == "A Method of Rules"
    assert "paper found in the repository: paper.md" in task.repository.notes
    (folder / "paper.md").unlink()
    (folder / "article.pdf").write_bytes(b"%PDF-1.4 broken")
    task = Resource().run(None, str(folder), folder=tmp_path / "run", task_folder=None)
    assert task.paper is None
    assert any("article.pdf in the repository cannot be read" in note for note in task.repository.notes)
