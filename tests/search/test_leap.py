"""The search policy: a pure function of the history, the paper's leap path and honeymoon."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import pytest

from autosota import search
from autosota.errors import UsageError
from autosota.ports import Leap, Stop, Try, Wait
from autosota.records import Experiment, Idea, Knob, MetricSpec, Scalar, Space
from autosota.search.lineage import Lineage

METRIC = MetricSpec(name="accuracy", direction="max", primary=True)


def knob(name: str, *, value: Scalar = 0.01, space: Space | None = None) -> Knob:
    found = space or Space(kind="float", low=0.001, high=0.1, log=True)
    return Knob(id=f"t.py::constant:{name}", kind="constant", name=name, file="t.py", line=1, value=value, space=found)


def space_idea(name: str, knobs: Sequence[Knob], priority: float = 0.5) -> Idea:
    return Idea(
        id=name, title=name, level="PARAM", scope="meso", risk="low", priority=priority, rationale="r", knobs=tuple(knobs)
    )


def structural(name: str, priority: float = 0.1, leap: bool = True) -> Idea:
    return Idea(id=name, title=name, level="CODE", scope="meso", risk="medium", priority=priority, rationale="r", leap=leap)


KNOBS = tuple(knob(name) for name in ("lr", "weight_decay", "sigma", "clip"))
SPACES = (space_idea("space-a", KNOBS, 0.9), space_idea("space-b", KNOBS[:2], 0.8), space_idea("space-c", KNOBS[2:], 0.7))


def experiment(choice: Try, number: int, gain: float | None, *, status: str = "", score: float | None = None) -> Experiment:
    status = status or ("failed" if gain is None else "improved" if gain > 0 else "not_improved")
    return Experiment(
        number=number, parent=choice.parent, idea=choice.idea.id, title="", level=choice.idea.level, step=choice.step,
        setting=choice.setting, status=status, commit=f"c{number}", score=score, gain=gain, leap=choice.idea.leap,
        honeymoon=choice.honeymoon,
    )  # fmt: skip


def play(
    name: str,
    ideas: Sequence[Idea],
    count: int,
    gain: Callable[[Try, int], float | None],
    *,
    leap: bool = True,
    noise: float = 0.01,
) -> tuple[list[Experiment], list[Try | Leap | Wait | Stop]]:
    """Ask and answer `count` times; a Leap is answered by "the ideator has none"."""
    chooser = search.make(name, metric=METRIC, seed=3, noise=noise)
    history: list[Experiment] = []
    choices: list[Try | Leap | Wait | Stop] = []
    while len(history) < count:
        choice = chooser.choose(history, [], ideas, leap=leap)
        choices.append(choice)
        if isinstance(choice, Leap):
            choice = chooser.choose(history, [], ideas, leap=False)
        if not isinstance(choice, Try):
            break
        history.append(experiment(choice, len(history) + 1, gain(choice, len(history) + 1)))
    return history, choices


def worse(choice: Try, number: int) -> float:
    return -1.0


def effective(history: Sequence[Experiment], number: int) -> tuple[tuple[str, ...], frozenset[tuple[str, Scalar]]]:
    """Structural ideas and all values that differ from the defaults."""
    lineage = Lineage.of(history)
    defaults = {item.id: item.value for item in KNOBS}
    values = {key: value for key, value in lineage.values[number].items() if defaults.get(key) != value}
    return lineage.structure[number], frozenset(values.items())


@pytest.mark.parametrize("name", search.NAMES)
def test_nothing_is_measured_twice(name: str) -> None:
    history, _ = play(name, SPACES, 40, lambda choice, number: math.sin(number) / 10)
    states = [effective(history, item.number) for item in history]
    assert len(set(states)) == len(states) == 40
    assert ((), frozenset()) not in states, "the baseline itself was proposed"


@pytest.mark.parametrize("name", search.NAMES)
def test_the_same_prefix_gives_the_same_choice(name: str) -> None:
    ideas = [*SPACES, structural("s1"), structural("s2")]
    history, choices = play(name, ideas, 25, lambda choice, number: 0.2 if number in (4, 9) else -0.3)
    fresh = search.make(name, metric=METRIC, seed=3, noise=0.01)
    tries = [choice for choice in choices if isinstance(choice, Try)]
    for number in (0, 3, 4, 12, 24):
        again = fresh.choose(list(reversed(history[:number])), [], list(reversed(ideas)), leap=False)
        assert isinstance(again, Try)
        assert (again.idea.id, again.parent, again.step, dict(again.setting)) == (
            history[number].idea, history[number].parent, history[number].step, dict(history[number].setting)
        )  # fmt: skip
    assert tries


def test_another_seed_gives_another_draw() -> None:
    first, second = (search.make("random", metric=METRIC, seed=seed).choose([], [], SPACES) for seed in (1, 2))
    assert isinstance(first, Try) and isinstance(second, Try) and first.setting != second.setting


def test_the_highest_priority_comes_first() -> None:
    chooser = search.make("leap", metric=METRIC, seed=1)
    choice = chooser.choose([], [], [*SPACES, structural("best", 0.95)])
    assert isinstance(choice, Try) and choice.idea.id == "best" and choice.setting == {} and choice.step == 1
    history = [experiment(choice, 1, 0.5)]
    following = chooser.choose(history, [], [*SPACES, structural("best", 0.95)])
    assert isinstance(following, Try) and following.idea.id == "space-a" and following.parent == 1 and following.step == 2


def test_three_steps_over_values_force_a_structural_idea() -> None:
    history, _ = play("leap", [*SPACES, structural("plain", 0.3, leap=False), structural("bold", 0.1)], 30, worse)
    ideas = [item.idea for item in history]
    first = next(index for index, item in enumerate(history) if item.level == "CODE")
    assert {item.step for item in history[:first]} == {1, 2, 3}
    assert ideas[first] == "bold", "an idea meant for the leap path goes before a plain one"
    assert history[first].step == 4


def test_without_a_structural_idea_the_ideator_is_asked_and_values_go_on_if_it_has_none() -> None:
    history, choices = play("leap", SPACES, 30, worse)
    assert any(isinstance(choice, Leap) for choice in choices)
    assert len(history) == 30
    _, quiet = play("leap", SPACES, 30, worse, leap=False)
    assert not any(isinstance(choice, Leap) for choice in quiet)


def test_a_step_holds_a_batch_and_ends_early_when_nothing_comes_of_it() -> None:
    history, _ = play("leap", SPACES, 20, worse)
    assert [sum(item.step == step for item in history) for step in (1, 2)] == [5, 5]
    paying, _ = play("leap", SPACES, 20, lambda choice, number: 0.1 if number % 3 == 0 else -0.1)
    assert sum(item.step == 1 for item in paying) == 8


def test_a_step_goes_on_from_the_state_it_moved_to() -> None:
    history, _ = play("leap", SPACES, 6, lambda choice, number: 0.5 if number == 2 else -0.5)
    assert [item.parent for item in history] == [0, 0, 2, 2, 2, 2]
    assert {item.step for item in history} == {1}


LEAPING = [structural("bold", 0.95), *SPACES]


def test_a_small_loss_gets_a_honeymoon_of_five_and_is_rolled_back() -> None:
    history, _ = play("leap", LEAPING, 9, lambda choice, number: -0.005 if choice.idea.id == "bold" else -0.5)
    assert [item.honeymoon for item in history] == [False, *[True] * 5, False, False, False]
    assert [item.parent for item in history] == [0, *[1] * 5, 0, 0, 0]
    assert len({item.step for item in history[1:6]}) == 1
    assert history[6].idea == "space-a", "a honeymoon does not count as a visit to the idea"


def test_a_honeymoon_that_beats_the_best_moves_the_state() -> None:
    history, _ = play("leap", LEAPING, 6, lambda choice, number: {1: -0.005, 3: 0.2}.get(number, -0.5))
    assert history[2].honeymoon and [item.parent for item in history[3:]] == [3, 3, 3]
    assert not any(item.honeymoon for item in history[3:])


def test_a_gain_over_the_leap_that_does_not_beat_the_best_is_no_new_state() -> None:
    history, _ = play("leap", LEAPING, 9, lambda choice, number: {1: -0.015, 2: 0.01}.get(number, -0.5))
    assert history[1].status == "improved" and history[1].honeymoon
    assert Lineage.of(history).state == 0
    assert [item.parent for item in history[6:]] == [0, 0, 0]


def test_a_great_loss_gets_no_honeymoon() -> None:
    history, _ = play("leap", LEAPING, 4, lambda choice, number: -0.5)
    assert not any(item.honeymoon for item in history)


def test_late_results_of_an_older_state_do_not_undo_a_better_one() -> None:
    chooser = search.make("leap", metric=METRIC, seed=1)
    first = chooser.choose([], [], SPACES)
    assert isinstance(first, Try)
    second = chooser.choose([], [first], SPACES)
    assert isinstance(second, Try) and second.setting != first.setting
    history = [experiment(first, 1, 0.5), experiment(second, 2, 0.1)]
    assert Lineage.of(history).state == 1


def test_settings_under_way_are_not_proposed_and_the_rest_is_waited_for() -> None:
    switch = knob("use_bias", value=False, space=Space(kind="choice", choices=(False, True)))
    ideas = [space_idea("switch", [switch])]
    chooser = search.make("leap", metric=METRIC, seed=1)
    only = chooser.choose([], [], ideas)
    assert isinstance(only, Try) and dict(only.setting) == {switch.id: True}
    assert isinstance(chooser.choose([], [only], ideas), Wait)
    assert isinstance(chooser.choose([experiment(only, 1, -0.1)], [], ideas), Stop)


def test_a_finite_space_is_used_up_completely_before_stopping() -> None:
    degree = knob("degree", value=2, space=Space(kind="int", low=1, high=4))
    kernel = knob("kernel", value="rbf", space=Space(kind="choice", choices=("rbf", "poly", "linear")))
    for name in ("leap", "tpe", "random"):
        history, choices = play(name, [space_idea("s", [degree, kernel])], 50, worse, leap=False)
        assert len(history) == 11, name
        assert isinstance(choices[-1], Stop)


def test_nothing_to_try_is_a_stop() -> None:
    assert isinstance(search.make("leap", metric=METRIC, seed=1).choose([], [], []), Stop)


def test_settings_hold_only_what_differs_from_the_state() -> None:
    history, _ = play("tpe", SPACES, 20, lambda choice, number: 0.3 if number in (2, 5, 9) else -0.3)
    for item in history:
        before = {known.id: known.value for known in KNOBS} | Lineage.of(history).values[item.parent]
        assert item.setting and all(before[key] != value for key, value in item.setting.items())


def test_measurements_on_another_state_warm_start_the_search() -> None:
    """On the state of a structural idea the direction that was bad before is not the first to be tried again."""
    ideas = [space_idea("space", KNOBS[:1], 0.5), structural("bold", 0.95)]

    def gain(choice: Try, number: int) -> float:
        if choice.idea.id == "bold":
            return 0.5
        return -abs(math.log10(float(choice.setting[KNOBS[0].id] or 1) / 0.03))

    history, _ = play("leap", ideas, 12, gain)
    tried = [float(item.setting[KNOBS[0].id] or 0) for item in history[3:] if item.setting]
    assert tried[0] > 0.01
    assert sum(0.01 <= value <= 0.1 for value in tried) >= len(tried) / 3


def test_a_failed_setting_is_avoided_and_does_not_stop_the_search() -> None:
    history, _ = play("leap", SPACES, 12, lambda choice, number: None if number % 2 else -0.1)
    assert len(history) == 12


def test_a_knob_that_the_changed_code_no_longer_has_is_given_up() -> None:
    ideas = [structural("bold", 0.95), space_idea("space", KNOBS[:2])]
    chooser = search.make("leap", metric=METRIC, seed=1)
    first = chooser.choose([], [], ideas)
    assert isinstance(first, Try)
    history = [experiment(first, 1, 0.5)]
    for number in range(2, 9):
        choice = chooser.choose(history, [], ideas, leap=False)
        assert isinstance(choice, Try)
        lost = KNOBS[0].id in choice.setting
        record = experiment(choice, number, None if lost else -0.1)
        if lost:
            record = record.model_copy(update={"commit": None, "note": f"no longer applies: {KNOBS[0].id}: no such knob"})
        history.append(record)
    assert sum(item.status == "failed" for item in history) == 1


def test_the_noise_is_estimated_from_the_seeds_where_it_is_not_given() -> None:
    chooser = search.make("leap", metric=METRIC, seed=1)
    choice = chooser.choose([], [], LEAPING)
    assert isinstance(choice, Try)
    trials = [{"seed": seed, "values": {"accuracy": value}, "seconds": 1, "cpu_seconds": 1, "exit_code": 0}
              for seed, value in ((1, 0.90), (2, 0.92), (3, 0.94))]  # fmt: skip
    record = experiment(choice, 1, -0.03).model_dump() | {"measurements": trials}
    following = chooser.choose([Experiment.model_validate(record)], [], LEAPING)
    assert isinstance(following, Try) and following.honeymoon


def test_an_unknown_name_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="unknown search 'best'"):
        search.make("best", metric=METRIC, seed=1)
