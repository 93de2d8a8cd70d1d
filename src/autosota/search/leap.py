"""The paper's search (section 3.8): ideas in the order of priority, the leap path, the honeymoon.

Terms: the *state* is the experiment new ideas build on. A *step* is one visit to one idea: up to `batch` settings of a PARAM
idea, or the one experiment of a structural idea (CODE, ALGO). All is read from the history, so a resumed run chooses the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import fmean, median, stdev

from autosota.knobs import importance
from autosota.ports import Leap, Stop, Try, Wait
from autosota.records import Experiment, Idea, MetricSpec, Scalar
from autosota.search.coding import same
from autosota.search.exploration import Exploration, explore
from autosota.search.lineage import Lineage, Vector

PATH = 3
"""After so many PARAM steps in a row a structural idea is forced."""
HONEYMOON = 5
"""Experiments on the state of a leap that has not paid off, before the search rolls back."""
PATIENCE = 5
"""A PARAM step ends early when so many finished settings in a row brought nothing."""
_PAID = 1.3
"""How much more another visit to a PARAM idea promises if the last one paid."""
_OLD = 0.6
"""How much less an idea promises whose knobs have all been varied in others."""
_ENOUGH = 3
"""Experiments with several seeds that can tell the noise."""
_BEARABLE = 2.0
"""A leap gets its honeymoon if it loses at most so many times the noise."""

Propose = Callable[[Exploration], Vector | None]


@dataclass
class _Step:
    """One visit to an idea, as the history and what is running show it."""

    idea: str
    structural: bool
    honeymoon: bool
    finished: list[Experiment] = field(default_factory=list)
    running: int = 0


@dataclass(frozen=True)
class LeapSearch:
    """The policy; `propose` finds the settings of PARAM ideas."""

    metric: MetricSpec
    seed: int
    batch: int
    propose: Propose
    noise: float | None = None
    """Standard deviation of the metric over seeds; estimated from the history where it is not given."""

    def choose(
        self, history: Sequence[Experiment], running: Sequence[Try], ideas: Sequence[Idea], *, leap: bool = True
    ) -> Try | Leap | Wait | Stop:
        """What to measure next. `leap=False` says that the ideator has no structural idea left, so that PARAM steps go on."""
        lineage = Lineage.of(history)
        steps = _steps(lineage, running)
        spaces = [idea for idea in _ranked(ideas) if idea.level == "PARAM" and idea.knobs]
        following = max(steps, default=0) + 1
        choice = self._honeymoon(lineage, running, steps, spaces, ideas) or self._open_step(lineage, running, steps, spaces)
        if choice is not None:
            return choice
        tried = {step.idea for step in steps.values() if not step.honeymoon}
        structural = [idea for idea in _ranked(ideas) if idea.level != "PARAM" and idea.id not in tried]
        if _path(steps) >= PATH:
            if structural:
                first = next((idea for idea in structural if idea.leap), structural[0])
                return Try(first, lineage.state, following)
            if leap:
                return Leap(lineage.state, following)
        worth = {idea.id: _worth(idea, spaces, steps) for idea in spaces}
        for idea in sorted([*structural, *spaces], key=lambda idea: (-worth.get(idea.id, idea.priority), idea.id)):
            if idea.level != "PARAM":
                return Try(idea, lineage.state, following)
            if (found := self._setting(lineage, running, idea, lineage.state, following)) is not None:
                return found
        return Wait() if running else Stop("every idea has been tried and no setting is left")

    # ── the parts of the policy ──

    def _open_step(self, lineage: Lineage, running: Sequence[Try], steps: dict[int, _Step], spaces: Sequence[Idea]) -> Try | None:
        """The next setting of the PARAM step under way, unless its batch is full or nothing has come of it for a while.

        It goes on from the present state, also where the state moved within the step.
        """
        number = max((number for number, step in steps.items() if not step.honeymoon), default=0)
        step = steps.get(number)
        if step is None or step.structural or len(step.finished) + step.running >= self.batch:
            return None
        recent = step.finished[-PATIENCE:]
        if len(recent) == PATIENCE and not any(experiment.status == "improved" for experiment in recent):
            return None
        idea = next((idea for idea in spaces if idea.id == step.idea), None)
        return self._setting(lineage, running, idea, lineage.state, number) if idea else None

    def _honeymoon(
        self, lineage: Lineage, running: Sequence[Try], steps: dict[int, _Step], spaces: Sequence[Idea], ideas: Sequence[Idea]
    ) -> Try | None:
        """A setting on the state of the latest leap, if that leap was made on the present state and lost only a little."""
        candidates = [
            experiment for experiment in lineage.experiments.values()
            if experiment.leap and experiment.level != "PARAM" and experiment.parent == lineage.state and not experiment.honeymoon
            and experiment.status in ("not_improved", "stopped") and experiment.gain is not None and experiment.commit is not None
        ]  # fmt: skip
        for experiment in candidates:
            if -(experiment.gain or 0.0) > _BEARABLE * self._noise(lineage):
                continue
            own = [item.step for item in lineage.experiments.values() if item.honeymoon and item.parent == experiment.number]
            own += [item.step for item in running if item.honeymoon and item.parent == experiment.number]
            if len(own) >= HONEYMOON:
                continue
            step = own[0] if own else max(steps, default=0) + 1
            site = next((idea.site for idea in ideas if idea.id == experiment.idea), None)
            near = [idea for idea in spaces if site is not None and any(knob.file == site.file for knob in idea.knobs)]
            for idea in near or spaces:
                if (found := self._setting(lineage, running, idea, experiment.number, step, honeymoon=True)) is not None:
                    return found
        return None

    def _setting(
        self, lineage: Lineage, running: Sequence[Try], idea: Idea, parent: int, step: int, *, honeymoon: bool = False
    ) -> Try | None:
        """The next setting of a PARAM idea on a parent; None where its space is used up."""
        question = explore(lineage, running, idea, parent, self.seed)
        vector = self.propose(question) if question.knobs else None
        if vector is None or vector in question.taken:
            return None
        pairs = zip(question.knobs, question.here, vector, strict=True)
        setting: dict[str, Scalar] = {knob.id: new for knob, old, new in pairs if not same(old, new)}
        return Try(idea, parent, step, setting, honeymoon) if setting else None

    def _noise(self, lineage: Lineage) -> float:
        """Standard deviation over seeds: given, or less where candidates show less; else pooled over experiments, else from
        losses."""
        spreads = []
        for experiment in lineage.experiments.values():
            values = [trial.values[self.metric.name] for trial in experiment.measurements if self.metric.name in trial.values]
            if len(values) > 1:
                spreads.append(stdev(values) ** 2)
        if self.noise is not None:
            return min(self.noise, float(fmean(spreads) ** 0.5)) if len(spreads) >= _ENOUGH else self.noise
        if spreads:
            return float(fmean(spreads) ** 0.5)
        gains = [abs(experiment.gain) for experiment in lineage.experiments.values() if experiment.gain is not None]
        return median(gains) / 2 if gains else 0.0


def _steps(lineage: Lineage, running: Sequence[Try]) -> dict[int, _Step]:
    steps: dict[int, _Step] = {}
    for experiment in lineage.experiments.values():
        step = steps.setdefault(experiment.step, _Step(experiment.idea, experiment.level != "PARAM", experiment.honeymoon))
        step.finished.append(experiment)
    for choice in running:
        steps.setdefault(choice.step, _Step(choice.idea.id, choice.idea.level != "PARAM", choice.honeymoon)).running += 1
    return steps


def _path(steps: dict[int, _Step]) -> int:
    """How many PARAM steps stand at the end; a honeymoon belongs to its leap and is no step of its own."""
    count = 0
    for _, step in sorted(steps.items(), reverse=True):
        if step.honeymoon:
            continue
        if step.structural:
            break
        count += 1
    return count


def _ranked(ideas: Sequence[Idea]) -> list[Idea]:
    return sorted(ideas, key=lambda idea: (-idea.priority, idea.id))


def _worth(idea: Idea, spaces: Sequence[Idea], steps: dict[int, _Step]) -> float:
    """What the next visit to a PARAM idea promises: its priority, less with every visit, more if the last one paid.

    An idea not visited yet is worth its priority as far as its knobs are new: those that a visited idea holds were varied there.
    """
    visits = [step for _, step in sorted(steps.items()) if step.idea == idea.id and not step.honeymoon]
    if visits:
        paid = any(experiment.status == "improved" for experiment in visits[-1].finished)
        return float(idea.priority * 0.75 ** len(visits) * (_PAID if paid else 1.0))
    visited = {step.idea for step in steps.values()}
    varied = {knob.id for other in spaces if other.id in visited for knob in other.knobs}
    new = sum(importance(knob) for knob in idea.knobs if knob.id not in varied) / sum(importance(knob) for knob in idea.knobs)
    return float(idea.priority * (1 - _OLD + _OLD * new))
