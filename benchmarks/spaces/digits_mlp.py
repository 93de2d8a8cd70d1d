"""The network in NumPy: every option of predict.py. (As shipped, momentum changes nothing; a user cannot know.)"""

from benchmarks.spaces import Dimension, Example

EXAMPLE = Example(
    name="digits-mlp",
    commands=(
        "python predict.py --seed {seed} --out predictions.csv {options}",
        "python score.py --predictions predictions.csv --labels data/test_labels.csv",
    ),
    pattern=r"error rate\s+([\d.]+)",
    direction="min",
    space={
        "hidden": Dimension("--hidden", 8, 128, log=True, whole=True),
        "init_std": Dimension("--init-std", 0.003, 1.0, log=True),
        "learning_rate": Dimension("--learning-rate", 1e-4, 1.0, log=True),
        "momentum": Dimension("--momentum", 0.0, 0.99),
        "weight_decay": Dimension("--weight-decay", 1e-6, 1e-1, log=True),
        "batch_size": Dimension("--batch-size", 8, 256, log=True, whole=True),
        "epochs": Dimension("--epochs", 5, 50, log=True, whole=True),
    },
    good={"hidden": 64, "init_std": 0.05, "learning_rate": 0.05, "epochs": 40},
    structure=(
        (
            "mlp/training.py",
            "SGD(network.parameters, learning_rate, weight_decay=weight_decay)",
            "SGD(network.parameters, learning_rate, momentum=momentum, weight_decay=weight_decay)",
        ),
    ),
    good_with_structure={"hidden": 64, "init_std": 0.05, "epochs": 40},
    second=r"log loss\s+([\d.]+)",
)
