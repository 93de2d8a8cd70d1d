"""Bagged autoregressions: every key of the configuration."""

from benchmarks.spaces import Dimension, Example

EXAMPLE = Example(
    name="co2-forecast",
    commands=("python evaluate.py --config configs/co2.yaml {options}",),
    pattern=r"12\s+109\s+[\d.]+\s+([\d.]+)",
    direction="min",
    space={
        "lags": Dimension("configs/co2.yaml:model.lags", 2, 48, whole=True),
        "ridge": Dimension("configs/co2.yaml:model.ridge", 1e-3, 1e3, log=True),
        "members": Dimension("configs/co2.yaml:bagging.members", 1, 25, log=True, whole=True),
        "block": Dimension("configs/co2.yaml:bagging.block", 1, 96, log=True, whole=True),
        "share": Dimension("configs/co2.yaml:bagging.share", 0.1, 1.0),
    },
    good={"lags": 13, "members": 20, "share": 1.0},
    structure=(
        (
            "src/ensemble.py",
            "        self.models = []\n",
            "        level = inputs[:, -1:]\n"
            "        inputs, targets = inputs - level, targets - level\n"
            "        self.models = []\n",
        ),
        (
            "src/ensemble.py",
            "        return np.mean([model.predict(window)[0] for model in self.models], axis=0)\n",
            "        level = window[0, -1]\n"
            "        return level + np.mean([model.predict(window - level)[0] for model in self.models], axis=0)\n",
        ),
    ),
    good_with_structure={"lags": 24, "members": 20},
    seed="configs/co2.yaml:seed",
    second=r"12\s+109\s+([\d.]+)",
)
