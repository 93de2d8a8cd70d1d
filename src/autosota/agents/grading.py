"""From complete pairs of fresh runs to a grade: test over seeds, noise of the test rows, red lines, and what caps a claim."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from autosota import crossed, redlines, statistics
from autosota.crossed import ItemNoise
from autosota.records import (
    Assurance,
    Case,
    Check,
    Gain,
    Grade,
    Measurement,
    MetricSpec,
    Record,
    Secondary,
    Verdict,
    Violation,
)
from autosota.redlines import guards
from autosota.redlines.checks import timing

Items = Callable[[str, int], Mapping[str, float] | None]
"""Scores per item of a finished confirmation run of (commit, seed), where there are any; larger is better."""

Resample = Callable[[Measurement], Mapping[str, float] | None]
"""Pseudo-values over groups of rows of a finished run, where the host can score a part of the rows; larger is better."""

_COMPUTE = 1.5
"""From this ratio of CPU seconds on, the reader is told."""
NO_GAIN = "no gain beyond noise on fresh seeds"
WITHIN_ROWS = "better, but within what the luck of its test rows can do"
ITEM_HINT = "name a file with one row per scored item (`items`), or keep rows from the search (`withhold`, `sealed`)"
"""What makes a claim possible that the rows' noise forbids."""


class Confirmation(Record):
    """What fresh paired runs say about one frozen candidate."""

    grade: Grade
    assurance: Assurance
    gain: Gain | None
    """None where no complete pairs were made."""
    gain_visible: Gain | None = None
    """The same on the rows that search saw, where the claim stands on others."""
    secondary: tuple[Secondary, ...] = ()
    violations: tuple[Violation, ...] = ()
    labels: tuple[str, ...] = ()
    baseline: tuple[Measurement, ...] = ()
    """Fresh runs, in the order of their seeds, paired with `best`."""
    best: tuple[Measurement, ...] = ()
    reason: str = ""
    """One sentence for people: why this grade."""
    checks: tuple[Check, ...] = ()
    """Controls and probes, made after the pairs."""


@dataclass
class Arms:
    """Pairs so far."""

    baseline: list[Measurement] = field(default_factory=list)
    candidate: list[Measurement] = field(default_factory=list)

    def gains(self, spec: MetricSpec) -> list[float]:
        """Paired gains, one a seed."""
        return [spec.gain(b, c) for b, c in zip(self.before(spec), self.after(spec), strict=True)]

    def before(self, spec: MetricSpec) -> list[float]:
        """The baseline's values."""
        return [guards.reading(run, spec) for run in self.baseline]

    def after(self, spec: MetricSpec) -> list[float]:
        """The candidate's values."""
        return [guards.reading(run, spec) for run in self.candidate]

    def certain(self, spec: MetricSpec) -> bool:
        """Does the seed change nothing in either arm? Then more seeds tell nothing."""
        return statistics.constant(self.before(spec)) and statistics.constant(self.after(spec))

    def seeded(self, spec: MetricSpec) -> bool:
        """Does the seed change both arms? Then equal differences are a gain seen once a seed, not one and the same run."""
        return not (statistics.constant(self.before(spec)) or statistics.constant(self.after(spec)))


@dataclass(frozen=True)
class Rows:
    """What the noise of the test rows says about a gain."""

    noise: ItemNoise | None
    """None where rows are no source of noise: what is measured is time, or each seed draws its own rows."""
    level: float
    """One-sided level of the bound over rows, what selection and attempts leave of it."""
    searched: bool
    """Was the candidate chosen by its score on these rows?"""

    def interval(self, low: float, center: float, high: float) -> tuple[float, float]:
        """The interval over seeds, widened where the noise of rows is known or bounded."""
        if self.noise is None or (self.noise.rows is None):
            return low, high
        return crossed.combine(low, center, high, self.noise, self.level)

    def support(self, low: float, center: float, high: float) -> bool:
        """Is the gain beyond the noise of its rows? A candidate from outside is given the benefit of unknown rows."""
        if self.noise is None or (self.noise.rows is None and not self.searched):
            return True
        return not self.noise.against and crossed.combine(low, center, high, self.noise, self.level)[0] > 0.0

    def hopeless(self, gains: Sequence[float], confirmed: bool) -> bool:
        """Would more seeds change nothing about that, even if they turn out well? Where the rows' noise is no more than bounded,
        seeds are tested first."""
        if self.noise is None or (self.noise.rows is None and not self.searched):
            return False
        best = statistics.mean(gains) + 2.0 * statistics.deviation(gains) / len(gains) ** 0.5
        return (self.noise.measured or confirmed) and (self.noise.against or self.noise.hopeless(best, self.level))

    @property
    def labels(self) -> tuple[str, ...]:
        """What a reader must know about the rows."""
        return ("item-noise-unknown",) if self.noise is not None and self.noise.rows is None else ()


@dataclass(frozen=True)
class Grading:
    """One confirmation's fixed facts, and the grading."""

    case: Case
    candidate: str
    red_lines: Sequence[redlines.RedLine]
    verdict: Verdict | None
    items: Items | None
    resample: Resample | None
    attempt: int
    tries: int
    searched: bool
    accepted: bool
    assurance: Assurance

    @property
    def spec(self) -> MetricSpec:
        """The metric that decides."""
        return self.case.rubric.primary

    def rows(self, arms: Arms) -> Rows:
        """The noise of the test rows as far as these pairs show it."""
        level = crossed.paid(self._chosen_from(), statistics.share(self.attempt))
        return Rows(self._noise(arms), level, self.searched and not self.fresh)

    @property
    def fresh(self) -> bool:
        """Do claims stand on rows that search was never scored on?"""
        return bool(self.case.environment.sealed) or self.case.environment.commands.withhold is not None

    def _noise(self, arms: Arms) -> ItemNoise | None:
        commands, spec = self.case.environment.commands, self.spec
        if commands.redraws or guards.is_cpu(spec) or timing.is_speed(spec):
            return None
        measured = self._measured(arms)
        if measured is not None:
            return measured
        before, after = arms.before(spec), arms.after(spec)
        noise = self.case.baseline.measurements if self.case.baseline else ()
        known = [run.values[spec.name] for run in noise if run.ok and spec.name in run.values]
        return crossed.bounded([*known, *before, *after], statistics.mean(before), statistics.mean(after), spec.name)

    def _measured(self, arms: Arms) -> ItemNoise | None:
        """From scores per item; None where there are none or they do not match."""
        if self.items is None:
            return None
        pairs = []
        for run in arms.baseline:
            before, after = self.items(self.case.environment.commit, run.seed), self.items(self.candidate, run.seed)
            if not before or not after:
                return self._resampled(arms)
            pairs.append((before, after))
        values = list(zip(arms.before(self.spec), arms.after(self.spec), strict=True))
        return crossed.from_items(pairs, arms.gains(self.spec), values) or self._resampled(arms)

    def _resampled(self, arms: Arms) -> ItemNoise | None:
        """From the first pair, scored again without some of its rows; the noise of other seeds is taken to be alike."""
        if statistics.mean(arms.gains(self.spec)) <= 0.0:
            return None
        before = self.resample(arms.baseline[0]) if self.resample else None
        after = self.resample(arms.candidate[0]) if self.resample and before else None
        if before is None or after is None:
            return None
        return crossed.from_groups(before, after)

    def rejected(self, violations: Sequence[Violation], arms: Arms, reason: str) -> Confirmation:
        """The end where nothing can be compared."""
        return self.result("REJECTED", arms, tuple(violations), (), reason, None)

    def grade(self, arms: Arms, confirmed: bool, *, few: str = "") -> Confirmation:
        """The grade of complete pairs: red lines first, then the tests, then what caps it.

        `confirmed`: by the sequential test over seeds. `few`: the label that says why there are too few pairs, or nothing.
        """
        gains, rows = arms.gains(self.spec), self.rows(arms)
        measured = tuple(v for line in self.red_lines for v in line.measurements(arms.candidate, arms.baseline, self.case))
        violations = (*(self.verdict.violations if self.verdict else ()), *measured, *self._clock(arms))
        violations = settled(violations) if self.accepted else violations
        actions = {violation.action for violation in violations}
        unread = rows.noise is not None and not rows.noise.measured and bool(self.case.environment.commands.items)
        extra = (*(("items-unusable",) if unread else ()), *((few,) if few else ()))
        gain, labels = self._gain(arms, gains, rows), (*self._labels(arms), *rows.labels, *extra)
        if "reject" in actions:
            return self.result("REJECTED", arms, violations, labels, "a red line is crossed", gain)
        deterministic = len(gains) > 1 and statistics.constant(gains) and not arms.seeded(self.spec)
        by_items = rows.noise is not None and rows.noise.measured
        supported = rows.support(*over_seeds(gains))
        if deterministic:
            confirmed = by_items and supported and gain.p <= sum(statistics.levels(self.attempt)) / self._chosen_from()
            supported = confirmed or not by_items
            labels = labels if by_items else (*(name for name in labels if name not in rows.labels), "deterministic")
        promising = gain.absolute > 0.0 and (deterministic or confirmed or (bool(few) and self._promising(gains)))
        if not promising or (by_items and not supported):
            unclear = "the time ended before fresh pairs could show a gain" if few == "time-ended" else NO_GAIN
            reason = WITHIN_ROWS if promising else unclear
            return self.result("UNCONFIRMED", arms, violations, labels, reason, gain)
        if "review" in actions:
            reason = "a person must decide on a suspected red line"
            return self.result("REVIEW", arms, violations, labels, reason, gain)
        cap, more = self._cap(confirmed, supported, rows, few)
        if cap:
            return self.result("SUGGESTIVE", arms, violations, (*labels, *more), cap, gain)
        if "disclose" in actions:
            return self.result("DISCLOSE", arms, violations, labels, "a confirmed gain with a trade-off", gain)
        return self.result("CONFIRMED", arms, violations, labels, "a gain on fresh paired seeds beyond the noise", gain)

    def _cap(self, confirmed: bool, supported: bool, rows: Rows, few: str) -> tuple[str, tuple[str, ...]]:
        """Why a promising gain is SUGGESTIVE at most, and labels that say so; nothing where it is not capped."""
        if self.assurance == "observed":
            return "better, but measured without isolation", ("not-isolated",)
        if few:
            return "better on few fresh pairs", ()
        if not confirmed:
            return "better, but without noise to test against", ()
        if not supported:
            known = rows.noise is not None and rows.noise.rows is not None
            number = f"its {rows.noise.rows} test rows" if known and rows.noise else "its test rows, whose number is unknown,"
            return f"better, but {number} could do that by luck: {ITEM_HINT}", ("item-noise",) if known else ()
        return "", ()

    # ── parts of a grade ──────────────────────────────────────────────────────────────────────────────────────────────

    def result(
        self,
        grade: Grade,
        arms: Arms,
        violations: tuple[Violation, ...],
        labels: tuple[str, ...],
        reason: str,
        gain: Gain | None,
    ) -> Confirmation:
        """The record of an outcome."""
        secondary = tuple(
            Secondary(name=guard.spec.name, baseline=guard.baseline, best=guard.best, within_margin=guard.state == "within")
            for guard in guards.compare(arms.candidate, arms.baseline, self.case.rubric)
        )
        return Confirmation(
            grade=grade, assurance=self.assurance, gain=gain, secondary=secondary, violations=violations,
            labels=tuple(dict.fromkeys(labels)), baseline=tuple(arms.baseline), best=tuple(arms.candidate), reason=reason,
        )  # fmt: skip

    def _gain(self, arms: Arms, gains: Sequence[float], rows: Rows) -> Gain:
        """The claim with its interval over seeds and rows."""
        gain = gain_of(gains, statistics.mean(arms.before(self.spec)), self.attempt)
        low, high = rows.interval(*over_seeds(gains))
        p = gain.p
        if statistics.constant(gains):
            p = statistics.sign_p(gains) if arms.seeded(self.spec) else self._rows_p(arms, rows)
        return gain.model_copy(update={"low": low, "high": high, "p": p})

    def _rows_p(self, arms: Arms, rows: Rows) -> float:
        """p of the paired permutation over items, of the t test over groups of rows where there are no items, else 1."""
        if self.items is None or rows.noise is None or not rows.noise.measured:
            return 1.0
        seed = arms.baseline[0].seed
        before, after = self.items(self.case.environment.commit, seed), self.items(self.candidate, seed)
        if not before or not after or set(before) != set(after):
            return rows.noise.p(statistics.mean(arms.gains(self.spec)))
        return statistics.sign_flip_p([after[name] - before[name] for name in sorted(before)])

    def _chosen_from(self) -> int:
        return max(1, self.tries) if self.searched and not self.fresh else 1

    def _promising(self, gains: Sequence[float]) -> bool:
        return len(gains) > 1 and (statistics.constant(gains) or statistics.paired_p(gains) <= guards.LEVEL)

    def _labels(self, arms: Arms) -> tuple[str, ...]:
        labels = []
        baseline = self.case.baseline
        if self.searched and not self.fresh:
            labels.append("selected-on-test")
        if baseline is not None and baseline.reproduced == "no":
            labels.append("baseline-differs")
        before = statistics.mean([run.cpu_seconds for run in arms.baseline])
        after = statistics.mean([run.cpu_seconds for run in arms.candidate])
        if before > 0 and after / before >= _COMPUTE:
            labels.append(f"compute-x{after / before:.1f}")
        return tuple(labels)

    def _clock(self, arms: Arms) -> tuple[Violation, ...]:
        """A claim of speed stands only if the host's own CPU time agrees (contract, section 3)."""
        spec = self.spec
        if guards.is_cpu(spec) or not timing.is_speed(spec):
            return ()
        saved = [b.cpu_seconds - c.cpu_seconds for b, c in zip(arms.baseline, arms.candidate, strict=True)]
        if statistics.mean(saved) > 0.0 or statistics.mean(arms.gains(spec)) <= 0.0:
            return ()
        evidence = f"{spec.name} improves while the host's CPU time does not: {-statistics.mean(saved):+.3g} s per run"
        fix = "save work instead of moving it out of the timed part"
        return (Violation(red_line="R2", rule="clock-disagrees", action="review", evidence=evidence, fix=fix),)


def settled(violations: Sequence[Violation]) -> tuple[Violation, ...]:
    """Reviews that a person has accepted stay on record as notes. A rejection is not for anybody to accept."""
    return tuple(v.model_copy(update={"action": "note"}) if v.action == "review" else v for v in violations)


def visible(before: Sequence[Mapping[str, float]], after: Sequence[Mapping[str, float]], spec: MetricSpec, attempt: int) -> Gain:
    """The gain on the rows that search saw, over seeds alone. Values of both arms, in the order of their seeds."""
    gains = [spec.gain(b[spec.name], c[spec.name]) for b, c in zip(before, after, strict=True)]
    return gain_of(gains, statistics.mean([values[spec.name] for values in before]), attempt)


def over_seeds(gains: Sequence[float]) -> tuple[float, float, float]:
    """Low, center and high of the gain over seeds alone."""
    low, high = statistics.confirmation_interval(gains)
    return low, statistics.mean(gains), high


def gain_of(gains: Sequence[float], baseline: float | None, attempts: int) -> Gain:
    """The claim from paired gains of fresh runs, over seeds alone. `baseline`: its mean, for the relative figure."""
    low, center, high = over_seeds(gains)
    p = statistics.paired_p(gains) if not statistics.constant(gains) else 1.0
    relative = center / abs(baseline) if baseline else None
    return Gain(absolute=center, relative=relative, low=low, high=high, p=p, pairs=len(gains), attempts=attempts)
