"""The network in PyTorch: every key of the configuration. (Weight decay never reaches the optimizer.)"""

from benchmarks.spaces import Dimension, Example

EXAMPLE = Example(
    name="digits-mlp-torch",
    commands=("python main.py --config configs/mlp.yaml --seed {seed} {options}",),
    pattern=r"accuracy = ([\d.]+)",
    direction="max",
    space={
        "hidden": Dimension("configs/mlp.yaml:model.hidden", 8, 128, log=True, whole=True),
        "dropout": Dimension("configs/mlp.yaml:model.dropout", 0.0, 0.7),
        "epochs": Dimension("configs/mlp.yaml:training.epochs", 2, 15, log=True, whole=True),
        "batch_size": Dimension("configs/mlp.yaml:training.batch_size", 16, 256, log=True, whole=True),
        "lr": Dimension("configs/mlp.yaml:training.lr", 1e-4, 1.0, log=True),
        "momentum": Dimension("configs/mlp.yaml:training.momentum", 0.0, 0.95),
        "weight_decay": Dimension("configs/mlp.yaml:training.weight_decay", 1e-6, 1e-1, log=True),
    },
    good={"hidden": 64, "dropout": 0.1, "epochs": 15, "lr": 0.02, "momentum": 0.9},
)
