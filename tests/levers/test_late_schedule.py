"""Schedules that wait longer than the run."""

import pytest

LATE = """
import argparse
from torch.optim.lr_scheduler import ReduceLROnPlateau, StepLR

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=2000)
parser.add_argument("--patience", type=int, default=4000)
args = parser.parse_args()
scheduler = ReduceLROnPlateau(optimizer, patience=args.patience)
"""


def test_waits_a_tenth_of_the_run(bench):
    assert "ReduceLROnPlateau(optimizer, patience=200)" in bench("late_schedule").change(LATE)
    assert "StepLR(optimizer, 200)" in bench("late_schedule").change(LATE + "scheduler = StepLR(optimizer, 3000)\n", which=1)


@pytest.mark.parametrize(
    "text",
    [
        LATE.replace("4000", "100"),
        LATE.replace("default=2000", "required=True"),
        LATE + "epochs = 7000\n",
        LATE.replace("patience=args.patience", "patience=other.wait"),
    ],
)
def test_leaves_alone(bench, text):
    assert not bench("late_schedule").sites(text)
