"""How quickly a space of 20 knobs, three of which matter, is improved: our searches beside plain Optuna and random search.

    OMP_NUM_THREADS=1 python benchmarks/search_synthetic.py [--problems 20] [--budget 25] [--knobs 20] [--methods leap,greedy]

Objectives are drawn at random: log-shaped bowls with the optimum off the default values ("bowl"), the same with a cliff beyond
which training fails ("cliff"), with two interacting knobs ("ridge"), and with defaults nearly right ("tuned"). Three knobs
have weights 1, 0.5 and 0.25; four of weight 0.4 are best as they are; the rest hardly matters. Every evaluation is noisy (5 % of
the possible gain). Printed is the share of the possible gain that the best-measured setting really has. Plain Optuna
gets the same ranges and the defaults as its first point, as a person would set it up by hand.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from autosota.ports import Try
from autosota.records import Experiment, Idea, Knob, Scalar, Space
from autosota.search import proposer
from autosota.search.coding import encode, is_ordered
from autosota.search.exploration import explore
from autosota.search.lineage import Lineage

FAMILIES = ("bowl", "cliff", "ridge", "tuned")
_NAMES = ("lr", "weight_decay", "alpha", "C", "gamma", "sigma", "tol", "clip", "temperature", "epsilon", "dropout", "momentum",
          "subsample", "label_smoothing", "epochs", "hidden", "n_estimators", "batch_size", "use_bias", "activation")  # fmt: skip


@dataclass(frozen=True)
class Problem:
    """An objective to maximize; 0 at the defaults, `top` at best."""

    knobs: tuple[Knob, ...]
    value: Callable[[Sequence[Scalar]], float | None]
    top: float
    noise: float


def knobs(count: int) -> tuple[Knob, ...]:
    """Knobs as `knobs.find` gives them."""
    found = []
    for index in range(count):
        name = _NAMES[index % len(_NAMES)]
        value: Scalar = 0.01
        if name in ("dropout", "momentum", "subsample", "label_smoothing"):
            space, value = Space(kind="float", low=0.0, high=1.0), 0.3
        elif name in ("epochs", "hidden", "n_estimators", "batch_size"):
            space, value = Space(kind="int", low=16, high=256, log=True), 64
        elif name == "use_bias":
            space, value = Space(kind="choice", choices=(False, True)), False
        elif name == "activation":
            space, value = Space(kind="choice", choices=("relu", "tanh", "elu", "gelu")), "relu"
        else:
            space = Space(kind="float", low=0.001, high=0.1, log=True)
        found.append(
            Knob(
                id=f"t.py::constant:{name}{index}", kind="constant", name=name, file="t.py", line=index, value=value, space=space
            )
        )
    return tuple(found)


def problem(family: str, seed: int, count: int) -> Problem:
    """Three knobs matter, with optima up to 0.45 of a range away from the defaults; four more are best as they are."""
    generator = random.Random(f"{family}|{seed}")
    space = knobs(count)
    places = [encode(knob, knob.value) for knob in space]
    important = generator.sample(range(count), 3)
    weights = [0.01] * count
    for index, weight in zip(important, (1.0, 0.5, 0.25), strict=True):
        weights[index] = weight
    settled = [index for index in generator.sample(range(count), min(count, 8)) if index not in important][:4]
    for index in settled:
        weights[index] = 0.4
    shift = 0.12 if family == "tuned" else 0.45
    optima = [min(1.0, max(0.0, place + generator.choice((-1, 1)) * generator.uniform(shift / 3, shift))) for place in places]
    for index in settled:
        optima[index] = places[index]
    bonus = [
        [
            generator.uniform(-0.15, 0.0 if index in settled else 0.15) if choice != knob.value else 0.0
            for choice in knob.space.choices
        ]
        for index, knob in enumerate(space)
    ]
    first, second = important[:2]

    def loss(vector: Sequence[Scalar]) -> float:
        total = 0.0
        codes = [encode(knob, value) for knob, value in zip(space, vector, strict=True)]
        for index, knob in enumerate(space):
            if is_ordered(knob):
                total += weights[index] * (codes[index] - optima[index]) ** 2
            else:
                total -= weights[index] * bonus[index][list(knob.space.choices).index(vector[index])]
        if family == "ridge":
            total += (codes[first] - optima[first] + codes[second] - optima[second]) ** 2
        return total

    origin = loss([knob.value for knob in space])
    best = sum(-weights[i] * max(bonus[i]) if not is_ordered(knob) else 0.0 for i, knob in enumerate(space))

    def value(vector: Sequence[Scalar]) -> float | None:
        code = encode(space[first], vector[first])
        if (
            family == "cliff"
            and is_ordered(space[first])
            and abs(code - places[first]) > 0.2
            and (code - places[first]) * (optima[first] - places[first]) < 0
        ):
            return None
        return origin - loss(vector)

    top = origin - best
    return Problem(space, value, top, 0.05 * top)


def ours(method: str, task: Problem, budget: int, seed: int) -> list[float]:
    """True gain of the best-measured setting after each evaluation, for a search of ours with the scheduler's acceptance rule."""
    generator = random.Random(f"noise|{seed}")
    idea = Idea(id="space", title="", level="PARAM", scope="meso", risk="low", priority=1.0, rationale="", knobs=task.knobs)
    propose, history, curve = proposer(method), [], []
    truth: dict[int, float] = {0: 0.0}
    measured: dict[int, float] = {0: generator.gauss(0, task.noise)}
    for number in range(1, budget + 1):
        lineage = Lineage.of(history)
        parent = lineage.state
        question = explore(lineage, (), idea, parent, seed)
        vector = propose(question)
        if vector is None:
            break
        setting = {k.id: new for k, old, new in zip(task.knobs, question.here, vector, strict=True) if new != old}
        assert setting and vector not in question.taken
        choice = Try(idea, parent, 1, setting)
        value = task.value(vector)
        gain = None
        status = "failed"
        if value is not None:
            truth[number], measured[number] = value, value + generator.gauss(0, task.noise)
            gain = measured[number] - measured[parent]
            status = "improved" if gain > task.noise else "not_improved"
        history.append(Experiment(number=number, parent=parent, idea="space", title="", level="PARAM", step=1,
                                  setting=choice.setting,
                                  status=status, commit="c", score=measured.get(number), gain=gain))  # type: ignore[arg-type]  # fmt: skip
        curve.append(truth[max(measured, key=lambda key: measured[key])] / task.top)
    return curve + [curve[-1]] * (budget - len(curve))


def plain(sampler_name: str, task: Problem, budget: int, seed: int) -> list[float]:
    """The same with Optuna as a person uses it: suggest, evaluate, repeat."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    generator = random.Random(f"noise|{seed}")
    sampler = optuna.samplers.TPESampler(seed=seed) if sampler_name == "optuna-tpe" else optuna.samplers.RandomSampler(seed=seed)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.enqueue_trial({knob.id: knob.value for knob in task.knobs})
    best, curve = (generator.gauss(0, task.noise), 0.0), []
    for number in range(budget + 1):
        trial = study.ask()
        vector = [_suggest(trial, knob) for knob in task.knobs]
        value = task.value(vector)
        if value is None:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            score = value + generator.gauss(0, task.noise)
            study.tell(trial, score)
            best = max(best, (score, value))
        if number:
            curve.append(best[1] / task.top)
    return curve


def _suggest(trial, knob: Knob) -> Scalar:  # type: ignore[no-untyped-def]
    space = knob.space
    if space.kind == "choice":
        return trial.suggest_categorical(knob.id, space.choices)
    if space.kind == "int":
        return trial.suggest_int(knob.id, int(space.low or 0), int(space.high or 0), log=space.log)
    return trial.suggest_float(knob.id, space.low, space.high, log=space.log)


def main() -> None:
    """Print a table: method × family, share of the possible gain after 10 and after all evaluations."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=40)
    parser.add_argument("--budget", type=int, default=25)
    parser.add_argument("--knobs", type=int, default=20)
    parser.add_argument("--methods", default="optuna-random,optuna-tpe,random,tpe,greedy,leap")
    parser.add_argument("--families", default=",".join(FAMILIES))
    arguments = parser.parse_args()
    early = min(10, arguments.budget)
    families = arguments.families.split(",")
    print(
        f"median share of the possible gain after {early} | {arguments.budget} evaluations, "
        f"{arguments.knobs} knobs, {arguments.problems} problems"
    )
    print(f"{'':16s}" + "".join(f"{family:>16s}" for family in families) + f"{'all (quartiles)':>26s}")
    for method in arguments.methods.split(","):
        cells, every = [], []
        for family in families:
            curves = []
            for seed in range(arguments.problems):
                task = problem(family, seed, arguments.knobs)
                run = plain if method.startswith("optuna") else ours
                curves.append(run(method, task, arguments.budget, seed))
            ends = [curve[-1] for curve in curves]
            every += ends
            cells.append(f"{statistics.median(curve[early - 1] for curve in curves):7.2f} | {statistics.median(ends):5.2f} ")
        low, middle, high = statistics.quantiles(every, n=4)
        print(
            f"{method:16s}" + "".join(f"{cell:>16s}" for cell in cells) + f"{middle:10.2f} ({low:.2f} to {high:.2f})", flush=True
        )
    assert math.isfinite(middle)


if __name__ == "__main__":
    main()
