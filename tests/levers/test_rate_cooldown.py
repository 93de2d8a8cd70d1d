"""The rate falls at the end, wherever it is kept."""

import pytest

LOCAL = """
import numpy as np

def train(X, y, epochs, lr):
    w = np.zeros(X.shape[1])
    for _ in range(epochs):
        for x, t in zip(X, y):
            w -= lr * (x @ w - t) * x  # one step
    return w

rng = np.random.default_rng(0)
X = rng.normal(size=(200, 3))
y = X @ np.array([1.0, -2.0, 3.0]) + rng.normal(size=200)
print(abs(train(X, y, 12, 0.2) - np.linalg.lstsq(X, y, rcond=None)[0]).max())
"""

KEPT = """
class Model:
    def __init__(self, lr):
        self.lr = lr
        self.seen = []

    def step(self, g):
        self.w -= self.lr * g
        self.seen.append(self.lr)

    def fit(self, epochs):
        self.w = 1.0
        for epoch in range(1, epochs + 1):
            self.step(0.1)
        return self

model = Model(0.5).fit(6)
print(model.seen, model.lr)
"""


def test_a_local_rate(bench, run):
    text = bench("rate_cooldown").change(LOCAL)
    assert "for epoch in range(epochs):" in text
    assert "w -= cooldown * lr * (x @ w - t) * x  # one step" in text
    assert float(run(text)) < float(run(LOCAL))


def test_a_rate_kept_on_the_object_is_put_back(bench, run):
    rates, last = run(bench("rate_cooldown").change(KEPT)).replace("]", "[").split("[")[1:]
    assert last.strip() == "0.5"
    assert [round(float(rate), 3) for rate in rates.split(",")] == [0.5, 0.5, 0.5, 0.5, 0.5, 0.25]


def test_an_optimizer_of_the_repository(bench):
    files = {
        "optimizer.py": """
            class SGD:
                def __init__(self, parameters, lr):
                    self.parameters, self.lr = parameters, lr
                def step(self, gradients):
                    for parameter, gradient in zip(self.parameters, gradients):
                        parameter -= self.lr * gradient
            """,
        "train.py": """
            from optimizer import SGD

            def train(net, data, epochs):
                optimizer = SGD(net.parameters, 0.1)
                for epoch in range(epochs):
                    for x in data:
                        optimizer.step(net.gradients(x))
            """,
    }
    text = bench("rate_cooldown").change(files)
    assert "    initial_rate = optimizer.lr\n    for epoch" in text
    assert "        optimizer.lr = initial_rate * min(1.0, 3.0 * (1.0 - epoch / epochs))\n" in text


def test_torch(bench):
    text = bench("rate_cooldown").change(
        """
        import torch

        def main(model, loader, args):
            optimizer = torch.optim.SGD(model.parameters(), lr=args.lr)
            for epoch in range(args.epochs):
                train_epoch(model, loader, optimizer)
        """
    )
    assert 'group["lr"] = group.setdefault("initial_lr", group["lr"]) * min(1.0, 3.0 * (1.0 - epoch / args.epochs))' in text


@pytest.mark.parametrize(
    "change",
    [
        ("    for _", "    for _", "lr *= 0.9\n            w -= lr"),
        ("w -= lr *", "print(lr * "),
        ("import numpy as np", "import numpy as np  # lr_scheduler"),
        ("range(epochs)", "data"),
    ],
)
def test_leaves_alone_what_changes_the_rate_or_does_not_train(bench, change):
    text = LOCAL.replace(change[0], change[1])
    if len(change) == 3:
        text = LOCAL.replace("            w -= lr", f"            {change[2]}")
    assert text != LOCAL
    assert not bench("rate_cooldown").sites(text)
