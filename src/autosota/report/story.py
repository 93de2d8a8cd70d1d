"""What a run says, in sentences and short tables: the words that the HTML report, the Markdown report and the terminal share."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from autosota.records import Criterion, Experiment, Violation
from autosota.report import words
from autosota.report.facts import Facts

ROWS = 500
"""At most this many experiments stand in a table; the rest is in the jsonl."""


def headline(facts: Facts) -> str:
    """One sentence: what was gained with its interval, or that nothing was and why."""
    result = facts.result
    if result is None:
        return _unfinished(facts)
    change = _change(facts)
    if result.grade in ("CONFIRMED", "DISCLOSE"):
        price = ", at a price that stands beside it" if result.grade == "DISCLOSE" else ""
        return f"{change}, confirmed on {_pairs(facts)}{price}."
    if result.grade == "SUGGESTIVE":
        return f"{change}, but this is not proven."
    if result.grade == "UNCONFIRMED":
        return _nothing(facts)
    if result.grade == "REVIEW":
        return "Undecided: a person must look before a gain is claimed. " + _first(facts, "review")
    if result.grade == "REJECTED":
        return "Rejected. " + _first(facts, "reject")
    return "Nothing that reading can find crosses a red line. Nothing was run."


def _change(facts: Facts) -> str:
    result = facts.result
    assert result is not None
    name, gain = words.clip(result.metric.name, 60), result.gain
    before, after = words.finite(result.baseline.mean), words.finite(result.best.mean) if result.best else None
    if gain is None:
        return f"A better {name} in search"
    interval = f"95 % interval of the gain {words.signed(gain.low, facts.places)} to {words.signed(gain.high, facts.places)}"
    told = f"A gain of {words.number(gain.absolute, facts.places)}"
    if before is None or after is None:
        return f"{told} in {name} ({interval})"
    verb = "rises" if after > before else "falls" if after < before else "stays"
    return f"{told}: {name} {verb} from {words.number(before, facts.places)} to {words.number(after, facts.places)} ({interval})"


def visible(facts: Facts) -> str:
    """The gain on the rows that search saw, where the claim stands on others; else nothing."""
    gain = facts.result.gain_visible if facts.result else None
    if gain is None:
        return ""
    low, high = words.signed(gain.low, facts.places), words.signed(gain.high, facts.places)
    told = f"{words.signed(gain.absolute, facts.places)} ({low} to {high} over {words.count(gain.pairs, 'pair')})"
    return f"The claim stands on rows that search never saw. On those it saw: {told}; much more there is tuning to test rows."


def _pairs(facts: Facts) -> str:
    gain = facts.result.gain if facts.result else None
    return f"{words.count(gain.pairs, 'fresh pair')} of runs" if gain else "fresh runs"


def _nothing(facts: Facts) -> str:
    result = facts.result
    assert result is not None
    tried = words.count(result.experiments.total, "experiment")
    gain = result.gain
    if gain is not None:
        return (
            f"No gain found: on {_pairs(facts)} the best of {tried} differs by {words.signed(gain.absolute, facts.places)} (95 % "
            f"interval {words.signed(gain.low, facts.places)} to {words.signed(gain.high, facts.places)}), which may be noise."
        )
    if result.experiments.total == 0:
        return "No gain found: nothing was tried."
    return f"No gain found: none of {tried} was better than the baseline by more than its noise."


def _first(facts: Facts, action: str) -> str:
    for violation in facts.result.violations if facts.result else ():
        if violation.action == action:
            line = f"{violation.red_line}: " if violation.red_line else ""
            return f"{line}{words.clip(violation.evidence, 240)}"
    return "The reason stands under the audits."


def _unfinished(facts: Facts) -> str:
    if facts.experiments:
        best = facts.best
        told = "no gain so far"
        if best is not None and facts.metric is not None and facts.mean is not None:
            told = (
                f"best so far {words.number(best.score, facts.places)} (experiment {best.number}), "
                f"{words.signed(facts.metric.gain(facts.mean, best.score or 0.0), facts.places)} in search, not confirmed"
            )
        return f"Unfinished: {words.count(len(facts.experiments), 'experiment')}, {told}."
    stages = (("analysis", facts.analysis), ("baseline", facts.baseline), ("environment", facts.environment),
              ("objective", facts.rubric), ("resources", facts.task))  # fmt: skip
    for stage, record in stages:
        if record is not None:
            return f"Unfinished: it got as far as its {stage}."
    return "Unfinished: nothing has been recorded yet."


def in_units_of_noise(gain: float | None, noise: float | None) -> str:
    """ "5.0 × noise"; "" where there is no noise to compare with."""
    if gain is None or not noise:
        return ""
    return f"{words.signed(gain / noise, 1)} × noise"


@dataclass(frozen=True)
class Audit:
    """What the Supervisor found about one red line."""

    id: str
    title: str
    text: str
    """The rule in words."""
    status: str
    """"cleared", "rejected", "review", "disclosed", "noted" or "not judged"."""
    found: Sequence[tuple[str, Violation]]
    """(what it was found in, the violation), at most 40."""
    total: int


def audits(facts: Facts) -> list[Audit]:
    """One entry per red line, and one for what is none of them where that occurred. The claim's violations decide the status."""
    judged = bool(facts.result and facts.result.grade) or any(entry.verdict for entry in facts.experiments)
    judged = judged or any(verdict for _, verdict in facts.ideas)
    from autosota import redlines

    known = {line.id: line for line in redlines.ALL}
    table = []
    for key in [*known, None]:
        found = [(place, violation) for place, violation in facts.violations if violation.red_line == key]
        if key is None and not found:
            continue
        claimed = {violation.action for place, violation in found if place == "the claim"}
        status = "not judged" if not judged else "cleared"
        for action, word in (("note", "noted"), ("disclose", "disclosed"), ("review", "review"), ("reject", "rejected")):
            if action in claimed:
                status = word
        found.sort(key=lambda pair: pair[0] != "the claim")
        title, text = (known[key].title, known[key].text) if key else ("It runs, on every seed", "")
        table.append(Audit(key or "–", title, text, status, found[:40], len(found)))
    return table


def selected(experiments: Sequence[Experiment], limit: int = ROWS, *, keep: Experiment | None = None) -> list[Experiment]:
    """The rows of a table: all of them, or `keep` and the improved, best, worst, rejected, failed and last ones, in order."""
    if len(experiments) <= limit:
        return list(experiments)
    scored = [entry for entry in experiments if words.finite(entry.gain) is not None]
    scored.sort(key=lambda entry: entry.gain or 0.0, reverse=True)
    groups = (
        [entry for entry in experiments if entry.status == "improved"][-(limit * 2 // 5 - 1) :],
        scored[: limit // 5],
        scored[-limit // 10 :],
        [entry for entry in experiments if entry.status == "rejected"][: limit // 10],
        [entry for entry in experiments if entry.status == "failed"][: limit // 10],
        experiments[-limit // 10 :],
    )
    kept: set[int] = {keep.number} if keep else set()
    for group in groups:
        kept.update(entry.number for entry in group)
    for entry in experiments:
        if len(kept) >= limit:
            break
        kept.add(entry.number)
    return [entry for entry in experiments if entry.number in kept]


def commands(facts: Facts) -> list[tuple[str, str]]:
    """How to reproduce the result: (what it does, the shell lines)."""
    found = [("Measure baseline and best again in fresh environments and judge every red line again",
              f"autosota verify {shlex.quote(str(facts.folder))}")]  # fmt: skip
    source = facts.task.repository if facts.task else None
    if facts.result and facts.result.patch and source:
        folder = words.clip(source.path, 300)
        lines = []
        if source.commit:
            lines.append(f"git -C {shlex.quote(folder)} checkout {shlex.quote(words.clip(source.commit, 64))}")
        patch = str((facts.folder / "best.patch").absolute())
        lines.append(f"git -C {shlex.quote(folder)} apply -p1 {shlex.quote(patch)}")
        found.append(("Apply the change to the repository", "\n".join(lines)))
    if facts.environment:
        known = facts.environment.commands
        seed = facts.pair_names[0].removeprefix("seed ") if facts.pair_names and "seed" in facts.pair_names[0] else "0"
        lines = [words.block(line, 1000).replace("{seed}", seed) for line in (known.predict, known.score, known.evaluate) if line]
        if known.seed.kind == "option" and known.seed.option and lines:
            lines[0] += f" {words.clip(known.seed.option, 60)} {seed}"
        if lines:
            found.append(("Evaluate it, from the repository's root, in its environment", "\n".join(lines)))
    return found


def leaves(tree: Criterion, depth: int = 0) -> list[tuple[int, Criterion]]:
    """The rubric tree, depth first, with each criterion's depth; at most 400."""
    found: list[tuple[int, Criterion]] = []
    pending = [(depth, tree)]
    while pending and len(found) < 400:
        level, criterion = pending.pop()
        found.append((level, criterion))
        pending.extend((level + 1, child) for child in reversed(criterion.sub_tasks))
    return found


def notes(facts: Facts) -> list[str]:
    """Everything that some stage noted, each with where it comes from, at most 100."""
    places = (
        ("paper", facts.task.paper if facts.task else None), ("repository", facts.task.repository if facts.task else None),
        ("objective", facts.rubric), ("environment", facts.environment), ("recipe", facts.environment.recipe if facts.environment
         else None), ("zones", facts.environment.zones if facts.environment else None), ("baseline", facts.baseline),
        ("analysis", facts.analysis),
    )  # fmt: skip
    found = [f"{place}: {words.clip(note, 400)}" for place, record in places if record for note in record.notes]
    if facts.protocols > 1:
        found.insert(0, f"ledger: it names {facts.protocols} different protocol locks; only runs under the same lock compare")
    return found[:100]


def overhead(facts: Facts) -> float | None:
    """Own seconds beyond the evaluations, over the whole run; None where it is unknown or evaluations ran side by side."""
    if facts.result is None or facts.result.seconds <= 0:
        return None
    own = facts.result.seconds - facts.result.evaluation_seconds
    return own if own >= 0 else None
