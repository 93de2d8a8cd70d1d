"""Tree-structured Parzen estimator (Bergstra et al. 2011) by Optuna: the study is rebuilt from the points at each question."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from autosota.records import Knob, Scalar
from autosota.search.coding import decode, encode, is_ordered
from autosota.search.exploration import Exploration, filled
from autosota.search.lineage import Vector

if TYPE_CHECKING:
    import optuna

_MOST_POINTS = 60
"""Of a long history the best and the latest are enough, and the estimator's time grows with their number."""
_ATTEMPTS = 6


def propose(question: Exploration, *, startup: int = 0, candidates: int = 24) -> Vector | None:
    """A vector Optuna's TPE suggests; None when it only repeats what is taken. Before `startup` points it draws at random."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sampler = optuna.samplers.TPESampler(seed=question.seed, multivariate=True, n_startup_trials=startup,
                                             n_ei_candidates=candidates, constant_liar=True)  # fmt: skip
        study = optuna.create_study(direction="maximize", sampler=sampler)
        space = {knob.id: _distribution(knob) for knob in question.knobs}
        study.add_trials(_trials(question, space))
        for _ in range(_ATTEMPTS):
            trial = study.ask(space)
            vector = tuple(_value(knob, trial.params[knob.id]) for knob in question.knobs)
            if not question.is_taken(vector):
                return vector
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
    return None


def _distribution(knob: Knob) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    return FloatDistribution(0.0, 1.0) if is_ordered(knob) else CategoricalDistribution(tuple(range(len(knob.space.choices))))


def _value(knob: Knob, parameter: float) -> Scalar:
    return decode(knob, parameter) if is_ordered(knob) else knob.space.choices[int(parameter)]


def _trials(question: Exploration, space: dict[str, Any]) -> list[optuna.trial.FrozenTrial]:
    from optuna.trial import TrialState, create_trial

    points = filled(question.points)
    if len(points) > _MOST_POINTS:
        ranked = sorted(range(len(points)), key=lambda index: -points[index][1])
        keep = {*ranked[: _MOST_POINTS // 2], *range(len(points) - _MOST_POINTS // 2, len(points))}
        points = [points[index] for index in sorted(keep)]
    trials = [create_trial(params=_parameters(question, vector), distributions=space, value=worth) for vector, worth, _ in points]
    trials += [
        create_trial(params=_parameters(question, vector), distributions=space, state=TrialState.RUNNING)
        for vector in question.pending
    ]
    return trials


def _parameters(question: Exploration, vector: Vector) -> dict[str, float | int]:
    return {
        knob.id: encode(knob, value) if is_ordered(knob) else round(encode(knob, value) * (len(knob.space.choices) - 1))
        for knob, value in zip(question.knobs, vector, strict=True)
    }
