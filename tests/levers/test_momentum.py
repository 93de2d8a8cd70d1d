"""Plain steps get a velocity."""

import pytest

PLAIN = """
import numpy as np

def descend(A, lr, epochs):
    w = np.ones(2)
    for step in range(epochs):
        w = w - lr * (A @ w)
    return w

print(np.abs(descend(np.diag([1.0, 0.02]), 0.5, 60)).max())
"""


def test_runs_and_converges_faster(bench, run):
    text = bench("momentum").change(PLAIN)
    assert "w = w + velocity['w']" in text
    assert float(run(text)) < 0.5 * float(run(PLAIN))


def test_items_of_a_list_have_velocities_of_their_own(bench, run):
    text = bench("momentum").change(
        """
        def f(W, lr):
            for epoch in range(2):
                for i in range(2):
                    W[i] -= lr * W[i]
            return W

        print(f([1.0, 8.0], 0.5))
        """
    )
    one, eight = eval(run(text))
    assert one == pytest.approx(eight / 8)
    assert one == pytest.approx(0.5 - 0.45 - 0.25)


def test_torch(bench):
    text = bench("momentum").change("import torch\no = torch.optim.SGD(m.parameters(), lr=0.1)\n")
    assert "lr=0.1, momentum=0.9, nesterov=True)" in text


@pytest.mark.parametrize(
    "text",
    [
        PLAIN.replace("w = np.ones(2)", "w, velocity = np.ones(2), 0"),
        "import torch\no = torch.optim.SGD(p, lr=0.1, momentum=0.5)\n",
        "import torch\no = torch.optim.SGD(p, 0.1, 0.9)\n",
        "def f(w, lr):\n    for epoch in range(3):\n        w[epoch + 1] -= lr * w[0]\n",
        "def f(total, price):\n    for step in range(3):\n        total -= 2 * price\n",
    ],
)
def test_leaves_alone(bench, text):
    assert not bench("momentum").sites(text)
