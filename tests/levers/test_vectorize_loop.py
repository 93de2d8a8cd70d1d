"""The same numbers, without the loop."""

import pytest

LOOP = """
import numpy as np

def f(n):
    x = np.linspace(0.0, 1.0, n)
    out = np.zeros(n)
    for i in range(n):
        out[i] = np.sqrt(x[i]) * 2.0 - x[i] / 3.0
    return out

print(f(50).tobytes().hex())
"""


def test_bit_identical(bench, run):
    text = bench("vectorize_loop").change(LOOP)
    assert "out[:n] = " in text
    assert run(text) == run(LOOP)


@pytest.mark.parametrize(
    "change",
    [
        ("x[i] / 3.0", "x[i - 1] / 3.0"),
        ("x[i] / 3.0", "out[i] / 3.0"),
        ("x[i] / 3.0", "g(x[i])"),
        ("np.linspace(0.0, 1.0, n)", "load(n)"),
        ("x[i] / 3.0", "i / 3.0"),
    ],
)
def test_leaves_alone(bench, change):
    assert not bench("vectorize_loop").sites(LOOP.replace(*change))
