"""The monitor's word follows from the events alone."""

from __future__ import annotations

import pytest

from autosota.agents.monitor import Bounds, Event, Monitor, hopeless

STEP, FAILURE, REMEDY, STATE = "step", "failure", "remedy", "state"


def events(*texts: tuple[str, str]) -> tuple[Event, ...]:
    return tuple(Event(kind, float(at), text) for at, (kind, text) in enumerate(texts))  # type: ignore[arg-type]


def test_ordinary_work_goes_on() -> None:
    monitor = Monitor().seen(*events(("phase", "repair"), (FAILURE, "a"), (REMEDY, "x"), (FAILURE, "b"), (REMEDY, "y")))
    assert monitor.advise(5.0).word == "continue"
    assert monitor.phase == "repair"


@pytest.mark.parametrize(
    ("bounds", "now", "reason"),
    [
        (Bounds(seconds=10), 10.0, "time"),
        (Bounds(steps=2), 2.0, "steps"),
        (Bounds(cost=0.5), 2.0, "$0.60"),
        (Bounds(silence=60), 63.0, "silent for 60 s during coding"),
    ],
)
def test_budgets_and_silence_stop(bounds: Bounds, now: float, reason: str) -> None:
    happened = (Event("phase", 0.0, "coding"), Event("step", 1.0, "a"), Event("cost", 2.0, amount=0.6), Event("step", 3.0, "b"))
    advice = Monitor(bounds).seen(*happened).advise(now)
    assert advice.word == "stop" and reason in advice.reason


def test_one_moment_before_the_bound_goes_on() -> None:
    assert Monitor(Bounds(seconds=10)).seen(Event("phase", 0.0, "x")).advise(9.9).word == "continue"


def test_the_same_failure_after_two_remedies_needs_another_way() -> None:
    monitor = Monitor().seen(*events((FAILURE, "a"), (REMEDY, "x"), (FAILURE, "a"), (REMEDY, "y")))
    assert monitor.advise(4.0).word == "continue"
    advice = monitor.seen(Event("failure", 5.0, "a")).advise(5.0)
    assert advice.word == "guide" and advice.guidance


def test_a_chain_without_end_stops() -> None:
    chain = events(*((FAILURE, f"failure {number}") for number in range(30)))
    assert Monitor().seen(*chain[:-1]).advise(30.0).word == "continue"
    assert Monitor().seen(*chain).advise(30.0).word == "stop"


def test_repetition_is_noticed() -> None:
    assert Monitor().seen(*events((STEP, "ls"), (STEP, "ls"))).advise(2.0).word == "continue"
    assert Monitor().seen(*events((STEP, "ls"), (STEP, "ls"), (STEP, "ls"))).advise(3.0).word == "guide"
    assert Monitor().seen(*events(*((STATE, "same") for _ in range(7)))).advise(7.0).word == "guide"
    assert Monitor().seen(*events(*((STATE, f"{number}") for number in range(7)))).advise(7.0).word == "continue"


RIVALS = ([0.1, 0.3, 0.5, 0.6, 0.7, 0.72], [0.1, 0.35, 0.52, 0.62, 0.71, 0.74])


def test_hopeless() -> None:
    assert hopeless([0.1, 0.1, 0.1], RIVALS, "max")
    assert not hopeless([0.1, 0.1], RIVALS, "max"), "too early to tell"
    assert not hopeless([0.1, 0.3, 0.48], RIVALS, "max"), "within what the rivals differ"
    assert not hopeless([0.9, 0.1, 0.1], RIVALS, "max"), "its best counts"
    assert not hopeless([0.1, 0.1, 0.1], RIVALS[:1], "max"), "one rival shows no spread"
    loss = [[-value for value in rival] for rival in RIVALS]
    assert hopeless([-0.1, -0.1, -0.1], loss, "min") and not hopeless([-0.1, -0.4, -0.6], loss, "min")
