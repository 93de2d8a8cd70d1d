"""AgentObjective (paper section 3.3): what counts as reproduced, and which number decides.

Rules only: the task file's metrics win; else the numbers that results tables report for the paper's own method, matched with what
the evaluation prints. Where that leaves a choice, a UsageError names the candidates and the flag that decides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autosota import metrics, rubrics
from autosota.agents.heading import headline
from autosota.ask import Ask
from autosota.errors import UsageError
from autosota.metrics import vocabulary
from autosota.metrics.vocabulary import normalize
from autosota.paper.results import Reported, reported
from autosota.records import Criterion, Direction, Evidence, MetricSpec, Paper, Rubric, Task
from autosota.rubrics import Draft, compare
from autosota.taskfile import MetricTable, TaskFile

__all__ = ["Objective", "compare", "load_rubric"]
MOST_METRICS = 6
"""Taken from tables beside the primary one: all are guarded."""
_SAME = {
    "acc": "accuracy", "auroc": "auc", "rocauc": "auc", "aucroc": "auc", "f1score": "f1", "fscore": "f1", "err": "error",
    "errorrate": "error", "rsquared": "r2", "silhouettescore": "silhouette", "silhouettecoefficient": "silhouette",
    "ari": "adjustedrandindex", "nmi": "normalizedmutualinformation", "meanabsoluteerror": "mae", "meansquarederror": "mse",
    "rootmeansquarederror": "rmse", "ppl": "perplexity", "crossentropy": "logloss", "averageprecision": "ap",
    "negativeloglikelihood": "nll", "macrof1score": "macrof1", "f1macro": "macrof1",
}  # fmt: skip
_HARMLESS = re.compile(r"\b(test|eval|final|mean|avg|average|overall|score)\b", re.IGNORECASE)
load_rubric = rubrics.load


@dataclass(frozen=True)
class _Choice:
    """A metric that could be used: as the evaluation prints it, and as the paper reports it."""

    name: str
    direction: Direction | None
    report: Reported | None
    near: bool = False
    """What is printed is about what is reported."""

    @property
    def trusted(self) -> bool:
        """Is the reported number surely the paper's own?"""
        return self.report is not None and (self.report.certain or self.near)


class Objective:
    """Reads metrics and rubric from the task file, the paper and what the evaluation prints. `ask`: a model for a choice that is
    left between several numbers."""

    def __init__(self, ask: Ask | None = None) -> None:
        self._ask = ask

    def run(self, task: Task, task_file: TaskFile, *, printed: Mapping[str, list[float]] | None = None) -> Rubric:
        """The rubric. `printed`: numbers by name from a run of the evaluation (`metrics.names`), None before there was one.

        Raises UsageError where the metric or its direction is for the user to say.
        """
        reports = reported(task.paper, list(printed or ())) if task.paper else []
        notes: list[str] = []
        if task_file.metric:
            specs = [_declared(table, reports, notes) for table in task_file.metric]
            if not any(spec.primary for spec in specs):
                specs[0] = specs[0].model_copy(update={"primary": True})
            specs.sort(key=lambda spec: not spec.primary)
        else:
            specs = _from_paper(task.paper, reports, printed, notes, self._ask)
        specs = [_with_unit(spec, printed or {}) for spec in specs]
        tree = rubrics.grow(_draft(task, task_file, specs, reports))
        rubric = Rubric(metrics=tuple(specs), tree=tree, constraints=task_file.constraint, notes=tuple(notes))
        return rubrics.score(rubric, {"repository-ready": task.readiness.ready})

    def score(self, rubric: Rubric, checks: Mapping[str, bool]) -> Rubric:
        """The rubric with the leaves decided whose check is named, and its score."""
        return rubrics.score(rubric, checks)


# ── metrics ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _declared(table: MetricTable, reports: Sequence[Reported], notes: list[str]) -> MetricSpec:
    """A metric of the task file, completed from its name and the paper."""
    own = [report for report in reports if _key(report.name) == _key(table.name)]
    found = {report.direction for report in own if report.direction}
    direction = table.direction or vocabulary.direction(table.name) or (found.pop() if len(found) == 1 else None)
    if direction is None:
        raise UsageError(
            f"whether a higher or a lower `{table.name}` is better cannot be told from its name",
            f"say it with `--metric {table.name}:max` (or `:min`), or `direction` in the task file's [[metric]]",
        )
    spec = MetricSpec.model_validate({**table.model_dump(), "direction": direction})
    main = [report for report in own if report.table == own[0].table and report.certain]
    if spec.reported is None and len({report.value for report in main}) == 1:
        report = main[0]
        notes.append(f"`{table.name}`: {report.value:g} reported for {report.setting!r}{_page(report)}")
        return spec.model_copy(update={"reported": report.value, "spread": report.spread, "evidence": report.evidence})
    evidence = next((report for report in own if spec.reported is not None and _close(report.value, spec.reported)), None)
    if evidence is None:
        return spec
    return spec.model_copy(update={"spread": evidence.spread, "evidence": evidence.evidence})


def _with_unit(spec: MetricSpec, printed: Mapping[str, list[float]]) -> MetricSpec:
    """The metric with its unit's factor fixed by what the baseline prints under its name."""
    names = {normalize(spec.name)}
    values = [
        value
        for name, found in printed.items()
        if {normalize(name), normalize(name.rpartition(".")[2])} & names
        for value in found
    ]
    return spec.model_copy(update={"scale": metrics.scale(spec, values)})


def _from_paper(
    paper: Paper | None, reports: Sequence[Reported], printed: Mapping[str, list[float]] | None, notes: list[str],
    ask: Ask | None = None,
) -> list[MetricSpec]:  # fmt: skip
    """The metrics where the task file lists none. Raises UsageError where rules cannot decide."""
    choices = _choices(reports, printed, notes)
    decided = [choice for choice in choices if choice.direction]
    if not decided:
        raise _undecided(choices, reports, printed)
    best = max(_strength(choice, paper) for choice in decided)
    heads = [choice for choice in decided if _strength(choice, paper) == best]
    if len(heads) > 1 and best < 1.0:
        named = headline(ask, [choice.name for choice in heads], paper)
        if named is None:
            raise _undecided(heads, reports, printed)
        heads = [choice for choice in heads if choice.name == named[0]]
        notes.append(f"`{named[0]}` was chosen by a model among {len(decided)} numbers, by the paper's words {named[1].quote!r}")
    head = heads[0]
    table = head.report.table if head.report else None
    others = [choice for choice in decided if choice is not head and choice.report and choice.report.table == table]
    notes.append(_reason(head))
    return [_spec(choice, primary=choice is head) for choice in (head, *others[: MOST_METRICS - 1])]


def _choices(reports: Sequence[Reported], printed: Mapping[str, list[float]] | None, notes: list[str]) -> list[_Choice]:
    """One choice per metric. With `printed` only what the evaluation prints, under the name it prints."""
    first: dict[str, Reported] = {}
    several: set[str] = set()
    for report in reports:
        known = first.setdefault(_key(report.name), report)
        if known.table == report.table and known.value != report.value:
            several.add(_key(report.name))
    if printed is None:
        usable = [report for key, report in first.items() if key not in several]
        return [_Choice(report.name, report.direction, report) for report in usable]
    found: dict[str, _Choice] = {}
    for report in reports:
        name = _printed_name(report, printed, strict=_key(report.name) in several)
        if name and name not in found:
            near = any(_alike(value, report.value) for value in printed[name])
            found[name] = _Choice(name, report.direction or vocabulary.direction(name), report, near)
    missing = [
        report.name
        for key, report in first.items()
        if all(choice.report is None or _key(choice.report.name) != key for choice in found.values())
    ]
    if missing:
        notes.append(f"in the paper's tables but not printed by the evaluation: {', '.join(missing[:8])}")
    if not found:
        scalars = [name for name, values in printed.items() if len(values) == 1 and vocabulary.direction(name.rpartition(".")[2])]
        quality = [name for name in scalars if not vocabulary.names_seconds(name)]
        return [_Choice(name, vocabulary.direction(name.rpartition(".")[2]), None) for name in quality]
    return list(found.values())


def _printed_name(report: Reported, printed: Mapping[str, list[float]], strict: bool) -> str | None:
    """The printed name that is this reported metric: same name, or one that only says more, or the same value under a like name.

    `strict`: the table has several values of that name, so the value must agree.
    """
    ranked: list[tuple[float, int, str]] = []
    wanted = _key(report.name)
    for position, (name, values) in enumerate(printed.items()):
        last = _key(name.rpartition(".")[2])
        alike = (
            3.0
            if wanted in {_key(name), last}
            else 1.5
            if wanted and (last.endswith(wanted) or wanted.endswith(last)) and len(last) > 1
            else 0.0
        )
        near = any(_alike(value, report.value) for value in values)
        if not alike or (strict and not near) or (len(values) > 1 and not near):
            continue
        ranked.append((alike + 2.0 * near, -position, name))
    return max(ranked)[2] if ranked else None


def _strength(choice: _Choice, paper: Paper | None) -> float:
    """How much speaks for a choice as the headline: its number in the abstract, its name there, its place in the first table."""
    report = choice.report
    if report is None:
        return 0.0
    strength = 1.0
    abstract = paper.abstract if paper else ""
    numbers = {float(text) for text in re.findall(r"(?<![\w.])\d+(?:\.\d+)?", abstract)[:200]}
    if any(
        _close(number * factor, report.value, 1e-9) for number in numbers for factor in (1.0, 100.0, 0.01)
    ) and report.value not in (0, 1):
        strength += 8.0
    if any(_names(abstract, name) for name in (report.name, choice.name.rpartition(".")[2])):
        strength += 4.0
    strength += 2.0 * (report.table == 0) + 3.0 * report.certain
    return strength


def _names(text: str, name: str) -> bool:
    """Does a text name this metric, as words of their own?"""
    words = [re.escape(word) for word in re.findall(r"\w+", name)]
    if not words:
        return False
    exact = len(name) <= 4 and name.isupper()
    return bool(re.search(r"\b" + r"[\W_]*".join(words) + r"(?:s|es)?\b", text, 0 if exact else re.IGNORECASE))


def _spec(choice: _Choice, primary: bool) -> MetricSpec:
    report = choice.report
    direction = choice.direction
    assert direction is not None
    if report is None:
        return MetricSpec(name=choice.name, direction=direction, primary=primary)
    return MetricSpec(
        name=choice.name,
        direction=direction,
        primary=primary,
        reported=report.value if choice.trusted else None,
        spread=report.spread if choice.trusted else None,
        dataset=report.dataset,
        setting=report.setting or None,
        evidence=report.evidence,
    )


def _reason(head: _Choice) -> str:
    if head.report is None:
        return f"`{head.name}` is the only known metric that the evaluation prints; nothing is reported to compare it with"
    text = f"`{head.name}` decides: reported as {head.report.value:g} for {head.report.setting!r}{_page(head.report)}"
    return text if head.trusted else text + "; that row is only guessed to be the paper's own, so nothing is compared with it"


def _page(report: Reported) -> str:
    return f" on page {report.evidence.page} of the paper" if report.evidence.page else " in the paper"


def _undecided(choices: Sequence[_Choice], reports: Sequence[Reported], printed: Mapping[str, list[float]] | None) -> UsageError:
    names = list(dict.fromkeys(choice.name for choice in choices))
    if not names and printed:
        names = list(printed)
    if not names:
        names = list(dict.fromkeys(report.name for report in reports))
    if not names:
        return UsageError(
            "no metric is known: no results table in the paper, none in the task file", "say it with `--metric NAME:max`"
        )
    shown = ", ".join(f"{name} ({vocabulary.direction(name) or 'direction unknown'})" for name in names[:8])
    example = f"`--metric {names[0]}:{vocabulary.direction(names[0]) or 'max'}`"
    if any(choice.direction is None for choice in choices):
        return UsageError(
            f"which metric decides, or which way is better, cannot be told; candidates: {shown}", f"say it with {example}"
        )
    return UsageError(
        f"which metric decides cannot be told; candidates: {shown}", f"say it with {example}, or [[metric]] in the task file"
    )


def _key(name: str) -> str:
    bare = normalize(_HARMLESS.sub(" ", name.replace("_", " "))) or normalize(name)
    return _SAME.get(bare, bare)


def _close(left: float, right: float, relative: float = 0.3) -> bool:
    return abs(left - right) <= relative * max(abs(right), 1e-12)


def _alike(left: float, right: float, relative: float = 0.3) -> bool:
    """The same number up to per cent or fraction?"""
    return any(_close(left * factor, right, relative) for factor in (1.0, 100.0, 0.01))


# ── rubric ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _draft(task: Task, task_file: TaskFile, specs: Sequence[MetricSpec], reports: Sequence[Reported]) -> Draft:
    title = task.paper.title if task.paper else task.repository.source
    parts = (
        Draft("The method's code is there", 1.0, parts=_development(task, task_file)),
        Draft("The code runs", 1.0, parts=_execution()),
        Draft("The reported results are reproduced", 2.0, parts=_results(task.paper, specs, reports)),
    )
    return Draft(f"The results of {title!r} are reproduced by its repository", parts=parts)


def _development(task: Task, task_file: TaskFile) -> tuple[Draft, ...]:
    commands = " ".join(filter(None, (task_file.evaluation.command, task_file.evaluation.predict, task_file.evaluation.score)))
    scripts = dict.fromkeys(re.findall(r"(?<![\w/.-])[\w./-]+\.(?:py|sh|ipynb|R|jl)\b", commands))
    leaves = [Draft("The repository holds source code", 1.0, "repository-ready", "Code Development", "Method Implementation")]
    for script in list(scripts)[:8]:
        evidence = (Evidence(file=script),)
        leaves.append(
            Draft(
                f"{script} exists",
                1.0,
                f"file-exists:{script}",
                "Code Development",
                "Evaluation, Metrics & Benchmarking",
                evidence,
            )
        )
    return tuple(leaves)


def _execution() -> tuple[Draft, ...]:
    detail = "Experimental Setup"
    return (
        Draft("The environment is built", 1.0, "environment", "Code Execution", "Environment & Infrastructure Setup"),
        Draft("The evaluation runs to its end and reports every metric", 2.0, "evaluation-runs", "Code Execution", detail),
        Draft("It does so on every seed of the baseline", 1.0, "seeds-complete", "Code Execution", detail),
    )


def _results(paper: Paper | None, specs: Sequence[MetricSpec], reports: Sequence[Reported]) -> tuple[Draft, ...]:
    """Each metric that decides or guards; and the other numbers of the paper's tables, which nothing here can check, by table."""
    analysis, detail = "Result Analysis", "Evaluation, Metrics & Benchmarking"
    measured = []
    for spec in specs:
        text = f"{spec.name} is measured"
        if spec.reported is not None:
            text = f"{spec.name} is within tolerance of the reported {spec.reported:g}"
        evidence = (spec.evidence,) if spec.evidence else ()
        measured.append(Draft(text, 2.0 if spec.primary else 1.0, f"metric:{spec.name}", analysis, detail, evidence))
    drafts = [Draft("The metrics of the evaluation agree with the paper", 2.0, parts=tuple(measured))]
    used = {spec.evidence.quote for spec in specs if spec.evidence}
    tables = paper.tables if paper else ()
    for number, table in enumerate(tables):
        rest = [report for report in reports if report.table == number and report.evidence.quote not in used]
        if rest and len(drafts) < 12:
            parts = tuple(Draft(_statement(report), 1.0, None, analysis, detail, (report.evidence,)) for report in rest[:30])
            drafts.append(Draft(f"{table.caption[:160] or 'A table of results'} is reproduced", 1.0 / len(tables), parts=parts))
    return tuple(drafts)


def _statement(report: Reported) -> str:
    where = f" on {report.dataset}" if report.dataset else ""
    return f"{report.setting or 'the method'} reaches {report.name} {report.value:g}{where}"


def tree_of(rubric: Rubric) -> dict[str, object]:
    """The rubric's tree in PaperBench's JSON shape."""
    tree: Criterion = rubric.tree
    return rubrics.dump(tree)
