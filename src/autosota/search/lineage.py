"""What a history says: which experiment is the state, how good each one is, and which values it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from autosota.records import Experiment, Knob, Scalar

Vector = tuple[Scalar, ...]


@dataclass
class Lineage:
    """A history, read once. Number 0 is the baseline."""

    experiments: dict[int, Experiment]
    state: int = 0
    """The experiment new ideas build on."""
    levels: dict[int, float] = field(default_factory=lambda: {0: 0.0})
    """Gain over the baseline, summed along the parents; positive is better. Measured experiments only."""
    values: dict[int, dict[str, Scalar]] = field(default_factory=lambda: {0: {}})
    """Knob id → value, as set along the parents."""
    structure: dict[int, tuple[str, ...]] = field(default_factory=lambda: {0: ()})
    """Structural ideas along the parents, in order."""

    @staticmethod
    def of(history: Sequence[Experiment]) -> Lineage:
        """Reads experiments in the order of their numbers. The state moves to an improved experiment that is better than it."""
        ordered = sorted(history, key=lambda experiment: experiment.number)
        lineage = Lineage({experiment.number: experiment for experiment in ordered})
        for experiment in ordered:
            number, parent = experiment.number, experiment.parent
            lineage.values[number] = {**lineage.values.get(parent, {}), **experiment.setting}
            structural = () if experiment.level == "PARAM" else (experiment.idea,)
            lineage.structure[number] = (*lineage.structure.get(parent, ()), *structural)
            if experiment.gain is not None:
                lineage.levels[number] = lineage.levels.get(parent, 0.0) + experiment.gain
            if experiment.status == "improved" and lineage.levels.get(number, 0.0) > lineage.levels.get(lineage.state, 0.0):
                lineage.state = number
        return lineage

    def chain(self, number: int) -> list[Experiment]:
        """The experiment and its parents, nearest first, the baseline left out."""
        found: list[Experiment] = []
        while number in self.experiments and len(found) < len(self.experiments):
            found.append(self.experiments[number])
            number = self.experiments[number].parent
        return found

    def effective(self, number: int, knobs: Sequence[Knob]) -> Vector:
        """The knobs' values in that experiment's tree; where nothing has set them, those the idea found in the code."""
        setting: Mapping[str, Scalar] = self.values.get(number, {})
        return tuple(setting.get(knob.id, knob.value) for knob in knobs)

    def worth(self, number: int, knobs: frozenset[str]) -> float:
        """The part of an experiment's gain over the baseline that is owed to these knobs.

        It is the sum of the gains along its parents of settings that touch them, so that different states can be compared.
        """
        return sum(step.gain or 0.0 for step in self.chain(number) if not knobs.isdisjoint(step.setting))

    def context(self, number: int, knobs: frozenset[str]) -> tuple[tuple[str, ...], frozenset[tuple[str, Scalar]]]:
        """Everything about an experiment's tree but these knobs: structural ideas and other settings."""
        other = frozenset((name, value) for name, value in self.values.get(number, {}).items() if name not in knobs)
        return self.structure.get(number, ()), other
