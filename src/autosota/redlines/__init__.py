"""The seven red lines of the paper (3.9), one class each: what may never pay for a gain."""

from __future__ import annotations

from autosota.redlines.base import RedLine
from autosota.redlines.r1_metric_parameters import MetricParameters
from autosota.redlines.r2_evaluation import EvaluationScript
from autosota.redlines.r3_outputs import Outputs
from autosota.redlines.r4_trade_offs import TradeOffs
from autosota.redlines.r5_leakage import Leakage
from autosota.redlines.r6_data import Data
from autosota.redlines.r7_paper_constraints import PaperConstraints

ALL: tuple[RedLine, ...] = (
    MetricParameters(), EvaluationScript(), Outputs(), TradeOffs(), Leakage(), Data(), PaperConstraints(),
)  # fmt: skip
"""In the paper's order, R1 to R7."""

__all__ = ["ALL", "RedLine"]
