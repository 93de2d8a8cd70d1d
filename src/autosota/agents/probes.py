"""Probes P1 to P8 (validity.md 3.6): the same evaluation on data with one thing changed, the candidate beside the baseline.

What the data hold is taken from behavior: test labels are what the baseline's metric depends on, and its predictions do not; a
series is what the baseline reads forward only. Where the baseline itself reacts to a change, the protocol allows it and
nobody is accused.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from autosota import perturbing, statistics
from autosota.agents.allowance import Allowance, Seen, Spent
from autosota.agents.bench import Bench, Inapplicable
from autosota.agents.controls import Found, joined
from autosota.agents.grading import Confirmation
from autosota.evaluation import Evaluation
from autosota.perturbing import Table
from autosota.records import Case, Check, Violation
from autosota.redlines import guards

_GUESSES = 2
"""Columns that are tried for test labels."""
_FEW = 0.02
"""Share of predictions that may change by rounding."""
_BLOCK = 3
"""Rows of a series that are changed."""
NAMES: Mapping[str, str] = {
    "P1": "test labels permuted", "P2, P4": "test rows shuffled and moved by a hair", "P3": "half of the test rows",
    "P5": "another seed", "P6": "training labels permuted", "P7": "canaries in what the author saw",
    "P8": "later rows of a series changed",
}  # fmt: skip
"""Probe → what is done."""
_SAME = "predict never sees the labels: it holds by the form of the task"
_CANARIES = "needs false labels in the author's own copy before the change was written; P1 looks at the same at run time"


def probe(case: Case, commit: str, confirmation: Confirmation, evaluation: Evaluation, allowance: Allowance) -> Found:
    """All probes that the task's form allows, the cheapest first; of the others, why not."""
    bench = Bench(case, commit, confirmation, evaluation, allowance)
    steps: dict[str, Callable[[Bench], Found]] = {
        "P5": _seeds, "P1": _labels, "P8": _future, "P2, P4": _order, "P3": _half, "P6": _training,
    }  # fmt: skip
    found = Found()
    for name, step in steps.items():
        before = allowance.used
        if found.convicts:
            break
        try:
            found = joined(found, step(bench))
        except (Spent, Inapplicable) as reason:
            found = joined(found, _said(name, "not-run", f"{NAMES[name]}: not run, {reason}", allowance.used - before))
    return joined(found, _said("P7", "not-run", f"{NAMES['P7']}: not run, {_CANARIES}", 0))


def _said(name: str, outcome: str, text: str, runs: int, *violations: Violation) -> Found:
    check = Check(kind="probe", name=name, outcome=outcome, text=text, runs=runs)  # type: ignore[arg-type]
    return Found((check,), (), violations)


# ── P5 ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _seeds(bench: Bench) -> Found:
    """Does the candidate ignore the seed although the baseline does not? From the confirmation's own runs."""
    spec = bench.case.rubric.primary
    before, after = ([guards.reading(run, spec) for run in arm] for arm in (bench.confirmation.baseline, bench.confirmation.best))
    if len(before) > 1 and statistics.constant(after) and not statistics.constant(before):
        return _said("P5", "found", "the seed moves the baseline's result, but not the candidate's", 0)
    return _said("P5", "passed", "the seed moves the candidate's result where it moves the baseline's", 0)


# ── P1 ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _labels(bench: Bench) -> Found:
    """Predictions must not change when the test labels at the mount are permuted."""
    if bench.case.environment.commands.sealed:
        return _said("P1", "passed", _SAME, 0)
    before, tried = bench.allowance.used, 0
    known = list(bench.columns(bench.base, "as is").values())
    for table, name in _guesses(bench, known)[:_GUESSES]:
        tried += 1
        arm, files = f"P1 {table.name} {name}", {table.name: perturbing.permuted(table, name, bench.seed)}
        blind = _blind(bench, table, name, arm, files)
        if blind:
            bench.labels = (table, name)
            bench.run(bench.commit, arm, files)
            return _convicted(bench, table, name, arm, blind, bench.allowance.used - before)
    why = (
        "no column of the test rows is used for scoring alone" if tried else "no file holds the test rows and their labels apart"
    )
    return _said("P1", "not-run", f"{NAMES['P1']}: not run, {why}", bench.allowance.used - before)


def _guesses(bench: Bench, known: Sequence[Any]) -> list[tuple[Table, str]]:
    """Columns of the test files, the first of every file before the second of any."""
    lists = [[(table, name) for name in perturbing.likely_labels(table, known)] for table in bench.tests.values()]
    depth = max(map(len, lists), default=0)
    return [items[index] for index in range(depth) for items in lists if index < len(items)]


def _blind(bench: Bench, table: Table, name: str, arm: str, files: Mapping[str, bytes]) -> list[str]:
    """Columns of the baseline's results that stay as they are although its metric moves with the labels."""
    seen = bench.run(bench.base, arm, files)
    if not seen.measurement.ok or bench.value(seen) == bench.value(bench.run(bench.base, "as is")):
        return []
    truth = table.columns[name]
    results = bench.columns(bench.base, "as is")
    names = [column for column in results if len(results[column]) != table.count or not perturbing.equal(results[column], truth)]
    return [column for column in names if bench.changed(bench.base, arm, [column]) == []]


def _convicted(bench: Bench, table: Table, name: str, arm: str, blind: Sequence[str], runs: int) -> Found:
    changed = bench.changed(bench.commit, arm, blind)
    where = f"the test labels ({name} in {table.name}) permuted"
    if changed is None:
        raise Inapplicable("the candidate's results have other columns or rows than the baseline's")
    if not changed:
        return _said("P1", "passed", f"{where}: no prediction changes in either arm", runs)
    restless = bench.restless(blind)
    if restless >= len(changed) / 2:
        text = f"{where}: {len(changed)} predictions change, but {restless} do so from run to run"
        return _said("P1", "not-run", text, runs + 1)
    text = f"{where}: {len(changed)} of {bench.count} predictions of the candidate change, none of the baseline's"
    violation = Violation(
        red_line="R5", rule="probe-test-labels", action="reject", evidence=text,
        fix="choose thresholds, checkpoints, features and weights on a validation part of the training data",
    )  # fmt: skip
    return _said("P1", "found", text, runs + 1, violation)


# ── P2 and P4 ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _order(bench: Bench) -> Found:
    """Predictions must follow their rows to other places, and not hang on their last digits."""
    if bench.case.environment.commands.access == "stream":
        raise Inapplicable("the order of a stream is part of it")
    if not bench.tests:
        raise Inapplicable("no data file has one row per prediction")
    before = bench.allowance.used
    order = list(range(bench.count))
    random.Random(bench.seed).shuffle(order)
    files = {}
    for path, table in {**bench.tests, **bench.answers()}.items():
        if table.count == bench.count:
            moved = perturbing.jittered(perturbing.shuffled(table, order), perturbing.likely_labels(table), bench.seed)
            files[path] = perturbing.write(moved, moved.columns)
    arm = "P2 P4"
    names = [name for name in bench.columns(bench.commit, "as is") if name in bench.columns(bench.base, "as is")]
    candidate = bench.run(bench.commit, arm, files)
    bench.value(candidate)
    changed = bench.changed(bench.commit, arm, names, order, 1e-5)
    if changed is not None and len(changed) <= _FEW * bench.count:
        return _said("P2, P4", "passed", f"{NAMES['P2, P4']}: the predictions follow", bench.allowance.used - before)
    baseline = bench.run(bench.base, arm, files)
    bench.value(baseline)
    own = bench.changed(bench.base, arm, names, order, 1e-5)
    if changed is None or own is None or len(own) > _FEW * bench.count:
        raise Inapplicable("the baseline's predictions hang on the order of the rows, too")
    return _followed(bench, len(changed), candidate, baseline, bench.allowance.used - before)


def _followed(bench: Bench, changed: int, candidate: Seen, baseline: Seen, runs: int) -> Found:
    spec, gain = bench.case.rubric.primary, bench.confirmation.gain
    left = spec.gain(bench.value(baseline), bench.value(candidate))
    text = f"{NAMES['P2, P4']}: {changed} of {bench.count} predictions of the candidate change, none of the baseline's"
    whole = gain.absolute if gain is not None else 0.0
    if left > whole / 2:
        return _said("P2, P4", "found", f"{text}; the gain stays ({left:+.4g} of {whole:+.4g})", runs)
    text = f"{text}, and {left:+.4g} is left of the gain of {whole:+.4g}"
    violation = Violation(
        red_line="R3", rule="probe-identity", action="reject", evidence=text,
        fix="predict from the item's content by the same rule for every item",
    )  # fmt: skip
    return _said("P2, P4", "found", text, runs, violation)


# ── P3 ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _half(bench: Bench) -> Found:
    """With `access = "row"`, a prediction must not change when other test rows are missing."""
    commands = bench.case.environment.commands
    if commands.access != "row":
        raise Inapplicable('the task lets test rows be used together; `access = "row"` forbids it')
    if not bench.tests:
        raise Inapplicable("no data file has one row per prediction")
    before, half = bench.allowance.used, range(bench.count // 2)
    both = {**bench.tests, **bench.answers()}
    pieces = {path: perturbing.shuffled(table, half) for path, table in both.items() if table.count == bench.count}
    files = {path: perturbing.write(piece, piece.columns) for path, piece in pieces.items()}
    names = [name for name in bench.columns(bench.commit, "as is") if name in bench.columns(bench.base, "as is")]
    found = []
    for commit in (bench.commit, bench.base):
        bench.value(bench.run(commit, "P3", files))
        changed = bench.changed(commit, "P3", names, half, 1e-6)
        if changed is None:
            raise Inapplicable("the results cannot be compared")
        found.append(len(changed))
        if found[0] == 0:
            text = f"{NAMES['P3']}: the predictions of the others stay"
            return _said("P3", "passed", text, bench.allowance.used - before)
    if found[1]:
        raise Inapplicable("the baseline's predictions hang on the other rows, too")
    text = f"{NAMES['P3']}: {found[0]} of {len(half)} predictions of the candidate change, none of the baseline's"
    violation = Violation(
        red_line="R5", rule="probe-other-rows", action="reject", evidence=text,
        fix="predict every row on its own: fit statistics on training rows",
    )  # fmt: skip
    return _said("P3", "found", text, bench.allowance.used - before, violation)


# ── P6 ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _training(bench: Bench) -> Found:
    """With permuted training labels the score must fall: answers that do not come from learning stay."""
    before, spec = bench.allowance.used, bench.case.rubric.primary
    bench.results  # noqa: B018 - raises where nothing can be told
    files = {path: perturbing.permuted(table, name, bench.seed) for path, (table, name) in _learned(bench).items()}
    if not files:
        raise Inapplicable("no file of training labels was found beside the test rows")
    real = statistics.mean([guards.reading(run, spec) for run in bench.confirmation.baseline])
    candidate = bench.value(bench.run(bench.commit, "P6", files))
    if spec.gain(real, candidate) <= 0:
        text = f"{NAMES['P6']} in {', '.join(files)}: {spec.name} falls to {candidate:.4g}"
        return _said("P6", "passed", text, bench.allowance.used - before)
    baseline = bench.value(bench.run(bench.base, "P6", files))
    gain = bench.confirmation.gain.absolute if bench.confirmation.gain else 0.0
    if spec.gain(real, baseline) > -max(gain / 2, 0.0):
        raise Inapplicable("the baseline does not learn from these labels either")
    text = f"{NAMES['P6']}: {spec.name} of the candidate stays at {candidate:.4g}, the baseline's falls to {baseline:.4g}"
    violation = Violation(
        red_line="R3", rule="probe-training-labels", action="review", evidence=text,
        fix="show where the answers come from, if not from the training labels",
    )  # fmt: skip
    return _said("P6", "found", text, bench.allowance.used - before, violation)


def _learned(bench: Bench) -> dict[str, tuple[Table, str]]:
    """Files of the test file's form with labels to learn from."""
    found: dict[str, tuple[Table, str]] = {}
    for path, table in bench.tables.items():
        if table.count == bench.count:
            continue
        if bench.labels is not None and set(table.columns) == set(bench.labels[0].columns):
            found[path] = (table, bench.labels[1])
        for test in bench.tests.values() if bench.case.environment.commands.sealed else ():
            extra = [name for name in table.columns if name not in test.columns]
            if len(extra) == 1 and set(test.columns) <= set(table.columns) and len(test.columns) > 1:
                found[path] = (table, extra[0])
    return found


# ── P8 ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _future(bench: Bench) -> Found:
    """Forecasts must not change when rows that come later do."""
    declared = bench.case.environment.commands.access == "stream"
    if bench.tests and not declared:
        raise Inapplicable("the test rows are no series")
    before = bench.allowance.used
    table = max(bench.tables.values(), key=lambda table: (table.count == bench.count, table.count), default=None)
    if table is None or table.count < 10 * _BLOCK:
        raise Inapplicable("no data file with a series was found")
    start = int(table.count * (0.5 if table.count == bench.count else 0.9))
    content = perturbing.disturbed(table, start, start + _BLOCK, bench.seed)
    if content is None:
        raise Inapplicable(f"{table.name} holds no real numbers to change")
    arm, files = "P8", {table.name: content}
    names = list(bench.columns(bench.base, "as is"))
    bench.value(bench.run(bench.base, arm, files))
    own = bench.changed(bench.base, arm, names)
    if not own:
        raise Inapplicable("the rows that were changed are not forecast by the baseline")
    # A series is read forward: what is before stays, and more than the changed rows themselves moves after.
    forward = own[0] > 0 and (declared or own[-1] - own[0] >= _BLOCK) and len(own) < bench.count / 2
    if not forward:
        raise Inapplicable("the baseline itself does not read the rows as a series")
    bench.value(bench.run(bench.commit, arm, files))
    changed = bench.changed(bench.commit, arm, names)
    where = f"rows {start} to {start + _BLOCK - 1} of {table.name} changed"
    if changed is None:
        raise Inapplicable("the candidate's results have other columns or rows than the baseline's")
    if not changed or changed[0] >= own[0]:
        return _said("P8", "passed", f"{where}: no earlier forecast changes", bench.allowance.used - before)
    if bench.restless(names):
        raise Inapplicable("the candidate's forecasts change from run to run")
    early = sum(row < own[0] for row in changed)
    text = f"{where}: {early} of the candidate's forecasts before them change (from row {changed[0]}), none of the baseline's"
    text += f", which change from row {own[0]} on"
    violation = Violation(
        red_line="R5", rule="probe-future", action="reject" if declared else "review", evidence=text,
        fix="make windows, smoothing and statistics from earlier rows only",
    )  # fmt: skip
    return _said("P8", "found", text, bench.allowance.used - before, violation)
