"""Random kitchen sinks: the kernel's width, the number of cosines, and the usual suspects of stochastic gradient descent."""

from benchmarks.spaces import Dimension, Example

EXAMPLE = Example(
    name="kitchen-sinks",
    commands=("python train.py --config configs/kitchen_sinks.yaml --seed {seed} {options}",),
    pattern=r"Test accuracy: ([\d.]+)",
    direction="max",
    space={
        "n_components": Dimension("configs/kitchen_sinks.yaml:features.n_components", 50, 400, log=True, whole=True),
        "gamma": Dimension("configs/kitchen_sinks.yaml:features.gamma", 1e-5, 1e-1, log=True),
        "alpha": Dimension("--alpha", 1e-6, 1e-1, log=True),
        "epochs": Dimension("--epochs", 1, 30, log=True, whole=True),
        "average": Dimension("kitchensinks/model.py:average={},", choices=(False, True), shipped=False),
        "loss": Dimension("configs/kitchen_sinks.yaml:classifier.loss", choices=("hinge", "log_loss", "modified_huber")),
    },
    good={"n_components": 400, "gamma": 0.0005, "alpha": 0.0001, "epochs": 20, "average": True},
    second=r"Macro F1: ([\d.]+)",
)
