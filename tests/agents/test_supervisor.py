"""Grades from fresh paired runs, with measurements that follow stated distributions."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace

import pytest

from autosota.agents.supervisor import Confirmation, Supervisor, looks_for
from autosota.errors import StageError
from autosota.records import (
    Baseline,
    Case,
    Commands,
    Criterion,
    Direction,
    Environment,
    Idea,
    Knob,
    Measurement,
    MetricSpec,
    Patch,
    Recipe,
    Rubric,
    Space,
    Verdict,
    Violation,
    Zones,
)
from autosota.redlines import RedLine

BASE, CANDIDATE = "base", "candidate"
Values = Callable[[str, int], Mapping[str, float] | None]


def measurement(
    commit: str, seed: int, values: Mapping[str, float] | None, *, cpu: float = 1.0, failure: str = "exit code 1"
) -> Measurement:
    return Measurement(
        commit=commit, seed=seed, purpose="confirm", values=values or {}, seconds=cpu, cpu_seconds=cpu,
        exit_code=0 if values else 1, failure=None if values else failure,
    )  # fmt: skip


def case(*metrics: MetricSpec, seconds: float = 1.0, reproduced: str = "yes", sealed: bool = False) -> Case:
    specs = metrics or (MetricSpec(name="accuracy", direction="max", primary=True),)
    commands = Commands(predict="p", score="s", outputs=("o",)) if sealed else Commands(evaluate="e")
    environment = Environment(
        commit=BASE, recipe=Recipe(digest="d", python="/p", prefix="/x"), commands=commands,
        zones=Zones(protected=("judge.py",), symbols={"main.py": ("--seed", "main.train_test_split", "settings")}),
    )  # fmt: skip
    baseline = Baseline(
        measurements=(), mean={}, noise={spec.name: 0.01 for spec in specs}, seconds=seconds, cpu_seconds=seconds,
        reproduced=reproduced, deterministic=False,  # type: ignore[arg-type]
    )  # fmt: skip
    return Case(Rubric(metrics=specs, tree=Criterion(id="r", requirements="", weight=1)), environment, baseline, None, {})


def confirm(
    values: Values, *, of: Case | None = None, isolated: bool = True, cpu: Mapping[str, float] | None = None, **options: object
) -> tuple[Confirmation, list[tuple[str, int]]]:
    jobs: list[tuple[str, int]] = []

    def submit(asked: Sequence[tuple[str, int]]) -> list[Measurement]:
        jobs.extend(asked)
        return [measurement(commit, seed, values(commit, seed), cpu=(cpu or {}).get(commit, 1.0)) for commit, seed in asked]

    given: dict[str, object] = {"attempt": 1} | options
    evaluation = SimpleNamespace(executor=SimpleNamespace(isolated=isolated))
    result = Supervisor().confirm(
        CANDIDATE, case=of or case(), evaluation=evaluation, seeds=iter(range(1000, 1020)), submit=submit, **given  # type: ignore[arg-type]
    )  # fmt: skip
    return result, jobs


def noisy(gain: float, noise: float = 0.005, start: float = 0.9) -> Values:
    def values(commit: str, seed: int) -> Mapping[str, float]:
        return {"accuracy": start + (gain if commit == CANDIDATE else 0.0) + random.Random(f"{commit}{seed}").gauss(0, noise)}

    return values


def test_a_clear_gain_is_confirmed_early_with_an_interval_around_it() -> None:
    result, jobs = confirm(noisy(0.1))
    assert (result.grade, result.assurance, len(jobs)) == ("CONFIRMED", "guarded", 6)
    assert result.gain is not None
    assert result.gain.low > 0 and result.gain.low <= 0.1 <= result.gain.high
    assert result.gain.relative == pytest.approx(result.gain.absolute / 0.9, rel=0.02)
    assert (result.gain.pairs, result.gain.attempts) == (3, 1)
    assert [m.seed for m in result.best] == [m.seed for m in result.baseline] == [1000, 1001, 1002]


def test_both_arms_are_interleaved_on_the_same_fresh_seeds() -> None:
    _, jobs = confirm(noisy(0.004))
    assert [seed for _, seed in jobs] == [seed for pair in range(len(jobs) // 2) for seed in (1000 + pair, 1000 + pair)]
    assert jobs[0][0] == BASE and jobs[2][0] == CANDIDATE


@pytest.mark.parametrize(("gain", "grade"), [(-0.05, "UNCONFIRMED"), (0.0, "UNCONFIRMED")])
def test_no_gain_is_no_claim(gain: float, grade: str) -> None:
    result, jobs = confirm(noisy(gain))
    assert result.grade == grade
    assert result.gain is not None and (gain == 0.0 or len(jobs) == 6)


def test_direction_is_respected() -> None:
    lower = case(MetricSpec(name="accuracy", direction="min", primary=True))
    assert confirm(noisy(-0.1), of=lower)[0].grade == "CONFIRMED"
    assert confirm(noisy(0.1), of=lower)[0].grade == "UNCONFIRMED"


def test_without_isolation_nothing_is_confirmed() -> None:
    result, _ = confirm(noisy(0.1), isolated=False)
    assert (result.grade, result.assurance) == ("SUGGESTIVE", "observed")
    assert "not-isolated" in result.labels


def test_two_commands_are_sealed_and_a_searched_single_one_says_so() -> None:
    assert confirm(noisy(0.1), of=case(sealed=True), searched=True)[0].assurance == "sealed"
    assert "selected-on-test" in confirm(noisy(0.1), of=case(sealed=True), searched=True)[0].labels
    assert "selected-on-test" in confirm(noisy(0.1), searched=True)[0].labels
    assert "selected-on-test" not in confirm(noisy(0.1))[0].labels


def test_another_attempt_spends_less() -> None:
    tight = {1000: 0.030, 1001: 0.035, 1002: 0.0325}

    def values(commit: str, seed: int) -> Mapping[str, float]:
        return {"accuracy": 0.9 + (tight.get(seed, 0.0) if commit == CANDIDATE else 0.0)}

    assert len(confirm(values)[1]) == 6
    assert len(confirm(values, attempt=8)[1]) > 6


def test_a_candidate_that_never_runs_or_sometimes_fails_is_rejected() -> None:
    never, _ = confirm(lambda commit, seed: {"accuracy": 0.9} if commit == BASE else None)
    assert (never.grade, never.violations[0].rule, never.violations[0].red_line) == ("REJECTED", "does-not-run", None)
    assert never.gain is None
    sometimes, jobs = confirm(lambda commit, seed: None if (commit, seed) == (CANDIDATE, 1001) else {"accuracy": 0.9})
    assert (sometimes.grade, sometimes.violations[0].rule) == ("REJECTED", "unstable")
    assert {seed for _, seed in jobs} == {1000, 1001, 1002}


def test_a_failing_baseline_is_not_the_candidates_fault() -> None:
    with pytest.raises(StageError, match="1001"):
        confirm(lambda commit, seed: None if (commit, seed) == (BASE, 1001) else {"accuracy": 0.9})


def test_deterministic_runs_are_suggestive_unless_items_decide() -> None:
    def values(commit: str, seed: int) -> Mapping[str, float]:
        return {"accuracy": 0.95 if commit == CANDIDATE else 0.9}

    result, jobs = confirm(values)
    assert (result.grade, result.labels, len(jobs)) == ("SUGGESTIVE", ("deterministic",), 6)
    assert result.gain is not None and result.gain.p == 1.0

    def strong(commit: str, seed: int) -> Mapping[str, float]:
        return {str(item): float(commit == CANDIDATE or item < 80) for item in range(100)}

    def weak(commit: str, seed: int) -> Mapping[str, float]:
        return {str(item): float(item % 2 == (commit == CANDIDATE) or item == 7) for item in range(100)}

    assert confirm(values, items=strong)[0].grade == "CONFIRMED"
    assert confirm(values, items=weak)[0].grade == "UNCONFIRMED"
    assert confirm(values, items=lambda commit, seed: None)[0].grade == "SUGGESTIVE"
    worse = confirm(lambda commit, seed: {"accuracy": 0.8 if commit == CANDIDATE else 0.9})[0]
    assert worse.grade == "UNCONFIRMED"


@pytest.mark.parametrize(
    ("seconds", "looks", "grade"), [(30.0, (3, 5, 8), "CONFIRMED"), (1200.0, (3, 5), "CONFIRMED"), (5000.0, (3,), "SUGGESTIVE")]
)
def test_long_evaluations_get_fewer_looks(seconds: float, looks: tuple[int, ...], grade: str) -> None:
    assert looks_for(case(seconds=seconds)) == looks
    result, _ = confirm(noisy(0.1), of=case(seconds=seconds))
    assert result.grade == grade and (("long-evaluation" in result.labels) is (seconds > 3600))
    assert confirm(noisy(-0.1), of=case(seconds=seconds))[0].grade == "UNCONFIRMED"


def two(gain: float, other: float, noise: float = 0.002) -> Values:
    def values(commit: str, seed: int) -> Mapping[str, float]:
        draw = random.Random(f"{commit}{seed}")
        ours = commit == CANDIDATE
        return {
            "accuracy": 0.9 + gain * ours + draw.gauss(0, noise),
            "recall": 0.8 + other * ours + draw.gauss(0, noise),
        }

    return values


def specs(margin: float | None = None, direction: Direction = "max") -> tuple[MetricSpec, ...]:
    return MetricSpec(name="accuracy", direction="max", primary=True), MetricSpec(
        name="recall", direction=direction, margin=margin
    )


def test_a_worse_secondary_metric_is_disclosed_and_an_equal_one_is_not() -> None:
    worse, _ = confirm(two(0.1, -0.1), of=case(*specs()))
    assert worse.grade == "DISCLOSE"
    assert [(item.name, item.within_margin) for item in worse.secondary] == [("recall", False), ("cpu_seconds", True)]
    assert worse.violations[0].red_line == "R4"
    assert confirm(two(0.1, 0.0), of=case(*specs()))[0].grade == "CONFIRMED"
    assert confirm(two(0.1, 0.1), of=case(*specs()))[0].grade == "CONFIRMED"


def test_a_margin_allows_what_it_says() -> None:
    assert confirm(two(0.1, -0.1), of=case(*specs(margin=0.3)))[0].grade == "CONFIRMED"
    assert confirm(two(0.1, -0.1), of=case(*specs(margin=0.05)))[0].grade == "DISCLOSE"
    undecided, jobs = confirm(two(0.2, 0.0, noise=0.06), of=case(*specs(margin=0.08)))
    assert len(jobs) > 6 and undecided.grade in ("DISCLOSE", "CONFIRMED")


def test_extra_compute_is_disclosed_by_the_hosts_clock() -> None:
    bought, _ = confirm(noisy(0.1), cpu={BASE: 1.0, CANDIDATE: 27.0})
    assert bought.grade == "DISCLOSE" and "compute-x27.0" in bought.labels
    some, _ = confirm(noisy(0.1), cpu={BASE: 1.0, CANDIDATE: 1.7})
    assert some.grade == "CONFIRMED" and "compute-x1.7" in some.labels
    assert confirm(noisy(0.1), cpu={BASE: 1.0, CANDIDATE: 1.1})[0].labels == ("item-noise-unknown",)
    declared = case(
        MetricSpec(name="accuracy", direction="max", primary=True), MetricSpec(name="cpu_seconds", direction="min", margin=40.0)
    )
    assert confirm(noisy(0.1), of=declared, cpu={BASE: 1.0, CANDIDATE: 27.0})[0].grade == "CONFIRMED"


def test_a_speed_claim_needs_the_hosts_clock_to_agree() -> None:
    speed = case(MetricSpec(name="fit_seconds", direction="min", primary=True))

    def values(commit: str, seed: int) -> Mapping[str, float]:
        return {"fit_seconds": (1.0 if commit == CANDIDATE else 2.0) + random.Random(f"{commit}{seed}").gauss(0, 0.01)}

    assert confirm(values, of=speed, cpu={BASE: 2.0, CANDIDATE: 2.1})[0].grade == "REVIEW"
    assert confirm(values, of=speed, cpu={BASE: 2.0, CANDIDATE: 1.0})[0].grade == "CONFIRMED"


@pytest.mark.parametrize(
    ("floor", "level", "noise", "grade"),
    [(0.9, 0.95, 0.001, "CONFIRMED"), (0.9, 0.89, 0.001, "REJECTED"), (0.9, 0.905, 0.02, "REVIEW")],
)
def test_a_guarantee_is_a_constraint_not_a_currency(floor: float, level: float, noise: float, grade: str) -> None:
    metrics = (
        MetricSpec(name="length", direction="min", primary=True),
        MetricSpec(name="coverage", direction="max", floor=floor, margin=1.0),
    )

    def values(commit: str, seed: int) -> Mapping[str, float]:
        draw = random.Random(f"{commit}/{seed}")
        if commit == BASE:
            return {"length": 2.0 + draw.gauss(0, 0.01), "coverage": 0.93 + draw.gauss(0, 0.001)}
        return {"length": 1.0 + draw.gauss(0, 0.01), "coverage": level + noise * ((seed % 3) - 1)}

    result, _ = confirm(values, of=case(*metrics))
    assert result.grade == grade
    assert grade == "CONFIRMED" or result.violations[0].red_line == "R7"


def test_a_static_review_blocks_the_claim_and_a_static_rejection_costs_no_run() -> None:
    doubt = Violation(red_line="R3", rule="blob-added", action="review", evidence="x")
    held, _ = confirm(noisy(0.1), verdict=Verdict.of((doubt,)))
    assert held.grade == "REVIEW" and held.gain is not None and doubt in held.violations
    assert confirm(noisy(-0.1), verdict=Verdict.of((doubt,)))[0].grade == "UNCONFIRMED"
    crime = doubt.model_copy(update={"action": "reject"})
    rejected, jobs = confirm(noisy(0.1), verdict=Verdict.of((crime,)))
    assert rejected.grade == "REJECTED" and not jobs
    remark = doubt.model_copy(update={"action": "note"})
    assert confirm(noisy(0.1), verdict=Verdict.of((remark,)))[0].grade == "CONFIRMED"


def test_a_differing_baseline_is_said() -> None:
    assert "baseline-differs" in confirm(noisy(0.1), of=case(reproduced="no"))[0].labels


def test_false_confirmations_are_rare_over_whole_campaigns() -> None:
    generator = random.Random(4)
    grades = []
    for _ in range(300):
        draws = {(arm, seed): generator.gauss(0.9, 0.01) for arm in (BASE, CANDIDATE) for seed in range(1000, 1008)}
        grades.append(confirm(lambda commit, seed, draws=draws: {"accuracy": draws[commit, seed]})[0].grade)  # type: ignore[misc]
    assert grades.count("CONFIRMED") <= 15
    assert set(grades) <= {"CONFIRMED", "UNCONFIRMED"}


# ── judging without a claim ───────────────────────────────────────────────────────────────────────────────────────────


def test_search_measurements_are_judged_by_seed() -> None:
    supervisor, metrics = Supervisor(), case(*specs())
    baseline = [measurement(BASE, seed, {"accuracy": 0.9, "recall": 0.8 + seed / 1000}) for seed in (1, 2, 3)]
    good = [measurement(CANDIDATE, seed, {"accuracy": 0.95, "recall": 0.81 + seed / 1000}) for seed in (3, 1)]
    assert supervisor.judge(good, baseline, metrics).status == "cleared"
    one = [measurement(CANDIDATE, 2, {"accuracy": 0.95, "recall": 0.5})]
    assert supervisor.judge(one, baseline, metrics).status == "cleared"
    broken = [measurement(CANDIDATE, 1, None)]
    assert supervisor.judge(broken, baseline, metrics).violations[0].rule == "does-not-run"


def test_a_floor_far_below_is_seen_from_one_run() -> None:
    metrics = case(
        MetricSpec(name="accuracy", direction="max", primary=True), MetricSpec(name="recall", direction="max", floor=0.8)
    )
    baseline = [measurement(BASE, 1, {"accuracy": 0.9, "recall": 0.85})]
    for recall, status in ((0.5, "rejected"), (0.795, "cleared"), (0.9, "cleared")):
        candidate = [measurement(CANDIDATE, 1, {"accuracy": 0.95, "recall": recall})]
        assert Supervisor().judge(candidate, baseline, metrics).status == status


# ── ideas ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def idea(**changes: object) -> Idea:
    given: dict[str, object] = {
        "id": "i", "title": "t", "level": "CODE", "scope": "micro", "risk": "low", "priority": 0.5, "rationale": "r",
    } | changes  # fmt: skip
    return Idea(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "words",
    ["Tune the decision threshold on the test set", "pick the best seed and report it",
     "Concatenate the test data to the train split",
     "monkeypatch the scoring function so that it is tolerant", "hard-code the answers for the three worst items",
     "drop noisy rows from the evaluation data", "Use the test labels to calibrate", "report the maximum over epochs"],
)  # fmt: skip
def test_plans_that_cross_a_line_go_to_a_person(words: str) -> None:
    assert Supervisor().screen_idea(idea(instructions=words, source="person"), case()).status == "review"


@pytest.mark.parametrize(
    "words",
    ["Tune the decision threshold on the validation split", "average over seeds",
     "Select features inside cross-validation on train",
     "Early stopping on a validation part, never on the test set", "Train longer with a cosine schedule",
     "Do not touch the test labels; scale features with training statistics", "hard-code nothing, use k-means++"],
)  # fmt: skip
def test_honest_plans_pass(words: str) -> None:
    assert Supervisor().screen_idea(idea(instructions=words, source="model"), case()).status == "cleared"


@pytest.mark.parametrize(
    ("file", "place", "status"),
    [("judge.py", "constant:K", "rejected"), ("main.py", "argparse:--seed", "rejected"), ("main.py", "argparse:--lr", "cleared"),
     ("main.py", "keyword:main.train_test_split.test_size", "rejected"), ("main.py", "constant:settings.k", "rejected"),
     ("main.py", "constant:settings_of_model", "cleared"), ("net.py", "default:build.width", "cleared")],
)  # fmt: skip
def test_no_knob_in_the_protected_zone(file: str, place: str, status: str) -> None:
    knob = Knob(
        id=f"{file}::{place}", kind="constant", name="x", file=file, line=1, value=1, space=Space(kind="int", low=0, high=2)
    )
    assert Supervisor().screen_idea(idea(level="PARAM", knobs=(knob,)), case()).status == status


def test_a_gain_that_is_the_same_on_every_seed_is_confirmed_where_the_seed_moves_both_arms() -> None:
    def shared(commit: str, seed: int) -> Mapping[str, float]:
        return {"accuracy": 2.51234567 + (seed - 1000) * 0.06123457 + (0.12512346 if commit == CANDIDATE else 0.0)}

    result, jobs = confirm(shared)
    assert (result.grade, len(jobs)) == ("CONFIRMED", 16)
    assert result.gain is not None and result.gain.p == 2**-8
    fixed, _ = confirm(lambda commit, seed: {"accuracy": 0.9 if commit == CANDIDATE else 0.25})
    assert (fixed.grade, "deterministic" in fixed.labels) == ("SUGGESTIVE", True)


def test_where_the_time_ends_the_pairs_made_so_far_are_graded() -> None:
    def after(runs: int) -> Callable[[int], bool]:
        left = [runs]

        def fits(asked: int) -> bool:
            left[0] -= asked
            return left[0] >= 0

        return fits

    nothing, jobs = confirm(noisy(0.1), fits=after(0))
    assert (nothing.grade, nothing.gain, jobs, nothing.labels) == ("UNCONFIRMED", None, [], ("time-ended",))
    some, jobs = confirm(noisy(0.1), fits=after(4), pairs_at_once=1)
    assert (some.grade, len(jobs)) == ("SUGGESTIVE", 4) and "time-ended" in some.labels
    assert some.gain is not None and some.gain.pairs == 2
    one, _ = confirm(noisy(0.1), fits=after(2), pairs_at_once=1)
    assert one.grade == "UNCONFIRMED" and "time-ended" in one.labels
    enough, jobs = confirm(noisy(0.1), fits=after(6), pairs_at_once=1)
    assert (enough.grade, len(jobs), "time-ended" in enough.labels) == ("CONFIRMED", 6, False)
    assert confirm(noisy(-0.1), fits=after(4), pairs_at_once=1)[0].grade == "UNCONFIRMED"


def test_deterministic_runs_are_tested_over_groups_of_rows_where_there_are_no_items() -> None:
    def values(commit: str, seed: int) -> Mapping[str, float]:
        return {"accuracy": 0.95 if commit == CANDIDATE else 0.9}

    def groups(spread: float) -> Callable[[Measurement], Mapping[str, float]]:
        def resample(run: Measurement) -> Mapping[str, float]:
            draw = random.Random(run.commit)
            return {str(group): run.values["accuracy"] + draw.gauss(0, spread) for group in range(20)}

        return resample

    clear, _ = confirm(values, items=lambda commit, seed: None, resample=groups(0.01))
    assert clear.grade == "CONFIRMED" and clear.gain is not None and 0 < clear.gain.p < 0.01
    assert confirm(values, items=lambda commit, seed: None, resample=groups(0.5))[0].grade == "UNCONFIRMED"


def test_scores_that_cannot_be_used_are_told() -> None:
    declared = case()
    commands = declared.environment.commands.model_copy(update={"items": "rows.csv"})
    object.__setattr__(declared, "environment", declared.environment.model_copy(update={"commands": commands}))
    assert "items-unusable" in confirm(noisy(0.1), of=declared, items=lambda commit, seed: None)[0].labels
    assert "items-unusable" not in confirm(noisy(0.1), items=lambda commit, seed: None)[0].labels


def test_claims_on_rows_kept_from_search_pay_for_no_selection() -> None:
    chosen = case()
    kept = case()
    object.__setattr__(kept, "environment", kept.environment.model_copy(update={"sealed": {"data/test.csv": "/x"}}))

    def items(commit: str, seed: int) -> Mapping[str, float]:
        draw = random.Random(0)
        return {str(i): float(draw.random() < (0.5 if commit == CANDIDATE and i % 6 == 0 else 0.3)) for i in range(400)}

    def values(commit: str, seed: int) -> Mapping[str, float]:
        mean = sum(items(commit, seed).values()) / 400
        return {"accuracy": mean + random.Random(f"{commit}{seed}").gauss(0, 1e-4)}

    fresh, _ = confirm(values, of=kept, searched=True, tries=40, items=items)
    assert fresh.grade == "CONFIRMED" and "selected-on-test" not in fresh.labels
    assert confirm(values, of=chosen, searched=True, tries=40, items=items)[0].grade == "UNCONFIRMED"


def test_a_rule_speaks_once_about_a_line_and_keeps_its_hardest_word() -> None:
    def said(line: int | None, action: str, evidence: str) -> Violation:
        return Violation(red_line="R5", rule="x", action=action, file="a.py", line=line, evidence=evidence)  # type: ignore[arg-type]

    class Line(RedLine):
        id = "R5"
        checks = (
            lambda difference: [said(1, "review", "first"), said(None, "note", "whole file")],
            lambda difference: [said(1, "review", "again"), said(2, "review", "doubt"), said(2, "reject", "sure")],
            lambda difference: [said(None, "note", "whole file, too")],
        )

    verdict = Supervisor([Line()]).screen_patch(Patch(parent=BASE, commit=CANDIDATE, base=BASE, changes=()), case())
    assert verdict.status == "rejected"
    assert [violation.evidence for violation in verdict.violations] == ["first", "whole file", "sure", "whole file, too"]
