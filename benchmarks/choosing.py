"""Time to choose the next experiment after 200 and after 1,000, in a library of spaces and structural ideas with 40 knobs.

python -m benchmarks choosing
"""

from __future__ import annotations

import random
import statistics
import time

from autosota import search
from autosota.ports import Try
from autosota.records import Experiment, Idea, Knob, MetricSpec
from autosota.search.coding import decode
from benchmarks import search_synthetic
from benchmarks.figure import Figure

KNOBS = 40
ROUNDS = 9


def measure() -> list[Figure]:
    """Medians; the first choice, which imports Optuna, does not count."""
    knobs = search_synthetic.knobs(KNOBS)
    idea = Idea(id="space", title="", level="PARAM", scope="meso", risk="low", priority=1.0, rationale="", knobs=knobs)
    metric = MetricSpec(name="accuracy", direction="max", primary=True)
    found = []
    for amount, target in ((200, 0.05), (1000, 1.0)):
        history = _history(knobs, amount)
        chooser = search.make("leap", metric=metric, seed=1, batch=10 * amount, noise=0.01)
        times = []
        for index in range(ROUNDS + 1):
            began = time.perf_counter()
            choice = chooser.choose(history[: amount - index], [], [idea])
            times.append(time.perf_counter() - began)
            assert isinstance(choice, Try)
        words = f"a space of {KNOBS} knobs; TPE sees at most 60 points"
        found.append(
            Figure(f"choosing the next experiment at {amount:,}", statistics.median(times[1:]), "s", target, compared=words)
        )
    return found


def _history(knobs: tuple[Knob, ...], amount: int) -> list[Experiment]:
    """Experiments around the defaults, one in twenty an improvement."""
    generator = random.Random(1)
    history, parent = [], 0
    for number in range(1, amount + 1):
        setting = {knob.id: decode(knob, generator.random()) for knob in generator.sample(knobs, 5)}
        improved = number % 20 == 0
        gain = 0.001 if improved else -abs(generator.gauss(0, 0.02))
        history.append(
            Experiment(number=number, parent=parent, idea="space", title="", level="PARAM", step=1, setting=setting, gain=gain,
                       status="improved" if improved else "not_improved", commit=f"{number:040x}", score=0.9 + gain)
        )  # fmt: skip
        parent = number if improved else parent
    return history
