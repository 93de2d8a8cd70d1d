"""Controls after a confirmed gain (validity.md 3.5): which part of the change it comes from, and whether computing alone buys it.

Both are more evaluations on the seeds of the confirmation, so they are paired with the runs that the claim stands on.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from autosota import knobs, statistics, syntax
from autosota.agents.allowance import Allowance, Spent
from autosota.agents.grading import Confirmation
from autosota.errors import UsageError
from autosota.knobs.vocabulary import quantity
from autosota.records import Case, Change, Check, Knob, Measurement, Scalar, Violation
from autosota.redlines import guards
from autosota.workspace import Workspace
from autosota.zones import analyse, configs

Part = Literal["data", "evaluation", "configuration", "model"]
PARTS: Mapping[Part, str] = {
    "data": "data and stored files", "evaluation": "evaluation code", "configuration": "configuration",
    "model": "model and training code",
}  # fmt: skip
COMPUTE = 1.5
"""From this ratio of CPU seconds on, the baseline is given the candidate's compute."""
VANISHED = 0.2
"""A gain of which less than this share is left has vanished."""
_SEEDS = 2
"""Pairs of each control."""
_LARGEST = 32.0
"""The baseline's compute is raised by this factor at most."""
_SHELL = {".sh", ".bash", ".mk", ".env", ".conf", ".properties"}


@dataclass(frozen=True)
class Found:
    """What a control adds to a confirmation."""

    checks: tuple[Check, ...] = ()
    labels: tuple[str, ...] = ()
    violations: tuple[Violation, ...] = ()

    @property
    def convicts(self) -> bool:
        """Is a red line crossed? Then nothing more needs to be run."""
        return any(violation.action == "reject" for violation in self.violations)


# ── where the gain comes from ─────────────────────────────────────────────────────────────────────────────────────────


def parts(case: Case, changes: Sequence[Change]) -> dict[Part, tuple[Change, ...]]:
    """The effective changes by what they are; protected files count for nothing, for they are measured as in the baseline."""
    zones = case.environment.zones
    free = [change for change in changes if not zones.is_protected(change.path)]
    measuring = _measuring(case) if any(change.path.endswith((".py", ".ipynb")) for change in free) else frozenset()
    found: dict[Part, list[Change]] = {}
    for change in free:
        found.setdefault(_part(change, case.tree.get(change.path), measuring), []).append(change)
    return {part: tuple(found[part]) for part in PARTS if part in found}


def _part(change: Change, before: bytes | None, measuring: frozenset[str]) -> Part:
    content = change.content if change.content is not None else before or b""
    name, suffix = PurePosixPath(change.path).name.lower(), PurePosixPath(change.path).suffix.lower()
    if syntax.is_python(change.path, content):
        module = syntax.module(change.path, content)
        if change.path in measuring:
            return "evaluation"
        return "configuration" if module is not None and _only_settings(module.tree) else "model"
    if suffix in configs.SUFFIXES and not configs.is_data(change.path, content):
        return "configuration"
    return "configuration" if suffix in _SHELL or name in ("makefile", "dockerfile") else "data"


def _only_settings(tree: ast.Module) -> bool:
    """Constants, and classes of them, but no code that does anything."""
    plain = (ast.Assign, ast.AnnAssign, ast.Import, ast.ImportFrom, ast.Expr, ast.Pass)
    bodies = [node.body if isinstance(node, ast.ClassDef) else [node] for node in tree.body]
    return (
        bool(bodies)
        and all(isinstance(node, plain) for body in bodies for node in body)
        and not any(isinstance(node, (ast.Lambda, ast.comprehension)) for node in ast.walk(tree))
    )


def _measuring(case: Case) -> frozenset[str]:
    """Files all of whose functions load data or compute the metric."""
    flow, _ = analyse(
        case.tree, case.environment.commands, read=case.environment.zones.reached, metrics=case.rubric.metrics
    )  # fmt: skip
    roles = flow.metric | flow.data
    found = set()
    for module in flow.modules:
        named = [scope for scope in flow.repository.scopes(module) if scope.name]
        if named and all(scope.key in roles and not flow.algorithm(scope) for scope in named):
            found.add(module.path)
    return frozenset(found)


def attribute(case: Case, commit: str, confirmation: Confirmation, workspace: Workspace, allowance: Allowance) -> Found:
    """The change without each of its parts in turn, on seeds of the confirmation. Costs nothing where it has one part only."""
    base = case.environment.commit
    pieces = parts(case, workspace.changes(base, commit))
    if len(pieces) < 2:
        words = " and ".join(PARTS[part] for part in pieces) or "files that have no effect"
        check = Check(kind="control", name="parts", outcome="passed", text=f"the whole change is in {words}")
        return Found((check,))
    found = Found()
    for part in pieces:
        rest = [change for other, changes in pieces.items() if other != part for change in changes]
        reverted = workspace.commit(base, rest)
        try:
            found = joined(found, _without(case, part, reverted, confirmation, allowance))
        except Spent as spent:
            text = f"not run: {spent}"
            found = joined(found, Found((Check(kind="control", name=f"without {part}", outcome="not-run", text=text),)))
    return found


def _without(case: Case, part: Part, commit: str, confirmation: Confirmation, allowance: Allowance) -> Found:
    before = allowance.used
    name = f"without {part}"
    pairs = _pairs(case, confirmation)
    runs = [allowance.run(commit, c.seed, "control", name).measurement for _, c in pairs]
    used = allowance.used - before
    broken = next((run.failure for run in runs if not run.ok), None)
    if broken is not None:
        text = f"its {PARTS[part]} cannot be taken out alone: {broken}"
        return Found((Check(kind="control", name=name, outcome="not-run", text=text, runs=used),))
    rest, whole = _gained(case, pairs, runs), confirmation.gain.absolute if confirmation.gain else 0.0
    vanished = whole > 0 and rest < VANISHED * whole
    text = f"without the change of its {PARTS[part]} the gain is {rest:+.4g} on {_seeds(pairs)}, with it {whole:+.4g}"
    check = Check(kind="control", name=name, outcome="found" if vanished else "passed", text=text, runs=used)
    if not vanished or part in ("model", "configuration"):
        return Found((check,))
    label = f"gain-from-{part}"
    if part == "data":
        return Found((check,), (label,))
    violation = Violation(
        red_line="R2", rule="gain-from-evaluation", action="review", evidence=text,
        fix="leave code that loads data or computes the metric as it is",
    )  # fmt: skip
    return Found((check,), (label,), (violation,))


# ── what computing alone buys ─────────────────────────────────────────────────────────────────────────────────────────


def compensate(case: Case, commit: str, confirmation: Confirmation, workspace: Workspace, allowance: Allowance) -> Found:
    """The baseline given the candidate's compute, where a knob for it exists. Nothing where the candidate uses no more."""
    ratio = compute_ratio(confirmation)
    tree = workspace.tree(commit)
    raised = _raised(case, tree)
    if ratio < COMPUTE and not raised:
        return Found()
    name = "baseline with the candidate's compute"
    setting = raised or _scaled(case, ratio)
    if not setting:
        text = f"the candidate takes x{ratio:.1f} CPU time, and no knob for epochs, iterations, restarts or samples was found"
        return Found((Check(kind="control", name=name, outcome="not-run", text=text),))
    words = ", ".join(f"{identity.rpartition(':')[2]} = {value}" for identity, value in setting.items())
    try:
        equal = workspace.commit(case.environment.commit, knobs.write(case.tree, setting))
        before = allowance.used
        pairs = _pairs(case, confirmation)
        if equal == commit:
            runs = [candidate for _, candidate in pairs]
        else:
            runs = [allowance.run(equal, c.seed, "control", "compute").measurement for _, c in pairs]
    except (Spent, UsageError) as problem:
        return Found((Check(kind="control", name=name, outcome="not-run", text=f"not run: {problem}"),))
    return _bought(case, confirmation, name, words, ratio, pairs, runs, allowance.used - before)


def _bought(
    case: Case, confirmation: Confirmation, name: str, words: str, ratio: float,
    pairs: Sequence[tuple[Measurement, Measurement]], runs: Sequence[Measurement], used: int,
) -> Found:  # fmt: skip
    broken = next((run.failure for run in runs if not run.ok), None)
    if broken is not None:
        text = f"the baseline does not run with {words}: {broken}"
        return Found((Check(kind="control", name=name, outcome="not-run", text=text, runs=used),))
    lift, whole = _gained(case, pairs, runs), confirmation.gain.absolute if confirmation.gain else 0.0
    same = all(run.commit == after.commit for run, (_, after) in zip(runs, pairs, strict=True))
    vanished = whole > 0 and (same or whole - lift < VANISHED * whole)
    text = f"the baseline with {words} is {lift:+.4g} better on {_seeds(pairs)}, the candidate {whole:+.4g}"
    text = f"the change is more computing and nothing else: {words}" if same else text
    check = Check(kind="control", name=name, outcome="found" if vanished else "passed", text=text, runs=used)
    if not vanished:
        return Found((check,))
    violation = Violation(
        red_line="R4", rule="gain-from-compute", action="disclose",
        evidence=f"x{ratio:.1f} CPU time, and {text}: computing more buys the gain",
        fix="say how much computing the gain takes, or compare with a baseline that is given as much",
    )  # fmt: skip
    return Found((check,), ("gain-from-compute",), (violation,) if ratio >= COMPUTE else ())


def compute_ratio(confirmation: Confirmation) -> float:
    """CPU seconds of the candidate over the baseline's, on fresh runs."""
    before = statistics.mean([run.cpu_seconds for run in confirmation.baseline])
    return statistics.mean([run.cpu_seconds for run in confirmation.best]) / before if before > 0 else 1.0


def _knobs(case: Case, tree: Mapping[str, bytes]) -> list[Knob]:
    environment = case.environment
    found = knobs.find(
        tree, environment.zones, constraints=case.rubric.constraints, metrics=case.rubric.metrics,
        commands=environment.commands,
    )  # fmt: skip
    return [knob for knob in found if quantity(knob.name) == "compute" and _count(knob.value) is not None]


def _count(value: Scalar) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 1 else None


def _raised(case: Case, tree: Mapping[str, bytes]) -> dict[str, Scalar]:
    """Knobs of compute that the candidate raised, with its values."""
    new = {knob.id: knob for knob in _knobs(case, tree)}
    old = {knob.id: knob for knob in _knobs(case, case.tree)}
    pairs = [(knob, new[knob.id].value) for knob in old.values() if knob.id in new]
    return {knob.id: value for knob, value in pairs if (_count(value) or 0.0) > (_count(knob.value) or 0.0)}


def _scaled(case: Case, ratio: float) -> dict[str, Scalar]:
    """The most important knob of compute, raised by the ratio of CPU seconds."""
    found = [knob for knob in _knobs(case, case.tree) if not knob.reason.startswith("not stated")]
    if not found:
        return {}
    value = _count(found[0].value) or 1.0
    return {found[0].id: math.ceil(value * min(ratio, _LARGEST))}


# ── pairs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _pairs(case: Case, confirmation: Confirmation) -> list[tuple[Measurement, Measurement]]:
    """Confirmation runs that a control is paired with; one where the seed changes nothing."""
    count = 1 if case.baseline is not None and case.baseline.deterministic else _SEEDS
    return list(zip(confirmation.baseline, confirmation.best, strict=True))[:count]


def _seeds(pairs: Sequence[object]) -> str:
    return f"{len(pairs)} seed{'s' if len(pairs) > 1 else ''}"


def _gained(case: Case, pairs: Sequence[tuple[Measurement, Measurement]], runs: Sequence[Measurement]) -> float:
    """Mean gain of some runs over the baseline's on the same seeds."""
    spec = case.rubric.primary
    return statistics.mean(
        [spec.gain(guards.reading(b, spec), guards.reading(run, spec)) for run, (b, _) in zip(runs, pairs, strict=True)]
    )


def joined(first: Found, second: Found) -> Found:
    """Both findings, in order."""
    return Found(first.checks + second.checks, first.labels + second.labels, first.violations + second.violations)
