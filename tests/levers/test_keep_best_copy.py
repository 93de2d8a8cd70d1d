"""The best weights are kept, not referred to."""

import pytest

ARRAYS = """
import numpy as np

w = np.zeros(1)
best_w, lowest = w, 9.0
for step in range(5):
    w -= 1.0
    loss = abs(w[0] + 2.0)
    if loss < lowest:
        best_w, lowest = w, loss
        best_w = w
print(best_w[0])
"""


def test_arrays(bench, run):
    text = bench("keep_best_copy").change(ARRAYS)
    assert (run(ARRAYS).strip(), run(text).strip()) == ("-5.0", "-2.0")


def test_torch(bench):
    text = bench("keep_best_copy").change("import torch\n\nfor epoch in range(3):\n    best_state = model.state_dict()\n")
    assert "from copy import deepcopy\n" in text
    assert "best_state = deepcopy(model.state_dict())" in text


@pytest.mark.parametrize(
    "text",
    [
        ARRAYS.replace("best_w = w\n", "best_w = w.copy()\n"),
        ARRAYS.replace("w -= 1.0", "w = w - 1.0"),
        ARRAYS.replace("np.zeros(1)", "float(np.zeros(1)[0])"),
        "import torch\nbest = model.state_dict()\n",
        "import torch, copy\nfor e in range(3):\n    best = copy.deepcopy(model.state_dict())\n",
    ],
)
def test_leaves_alone(bench, text):
    assert not bench("keep_best_copy").sites(text)
