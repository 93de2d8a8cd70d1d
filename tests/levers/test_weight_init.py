"""Scales follow the number of inputs."""

import pytest

NET = """
import numpy as np

class Net:
    def __init__(self, rng, inputs, hidden):
        self.W1 = rng.standard_normal((inputs, hidden)) * 0.01  # small
        self.params = {"W2": 0.01 * np.random.randn(hidden, 3)}
        self.w3 = rng.normal(0, 0.01, (hidden, 3))

    def forward(self, X):
        return np.maximum(0, X @ self.W1)

print(Net(np.random.default_rng(0), 50, 400).W1.std())
"""


def test_all_layers_of_a_network_at_once(bench, run):
    text = bench("weight_init").change(NET)
    assert "* np.sqrt(2.0 / inputs)  # small" in text
    assert '"W2": np.sqrt(2.0 / hidden) * np.random.randn(hidden, 3)' in text
    assert "rng.normal(0, np.sqrt(2.0 / hidden), (hidden, 3))" in text
    assert float(run(text)) == pytest.approx(0.2, abs=0.01)


def test_xavier_without_relu(bench):
    assert "np.sqrt(1.0 / inputs)" in bench("weight_init").change(
        NET.replace("np.maximum(0, X @ self.W1)", "np.tanh(X @ self.W1)")
    )


@pytest.mark.parametrize(
    "change",
    [
        ("np.maximum(0, X @ self.W1)", "X @ self.W1"),
        ("0.01", "scale"),
        ("self.W1 =", "noise ="),
        ("class Net", "# xavier\nclass Net"),
    ],
)
def test_leaves_alone(bench, change):
    text = NET.replace('        self.params = {"W2": 0.01 * np.random.randn(hidden, 3)}\n', "").replace(
        "        self.w3 = rng.normal(0, 0.01, (hidden, 3))\n", ""
    )
    assert bench("weight_init").sites(text)
    assert not bench("weight_init").sites(text.replace(*change))
