"""Odd moments vanish in pairs."""

import pytest

PRICE = """
import numpy as np

def price(rng, n):
    z = rng.standard_normal(n)
    return np.exp(0.2 * z).mean()

print(np.std([price(np.random.default_rng(seed), 100) for seed in range(60)]))
"""


def test_estimates_vary_less(bench, run):
    text = bench("antithetic_pairs").change(PRICE)
    assert "z = antithetic(rng.standard_normal(n))" in text
    assert float(run(text)) < 0.5 * float(run(PRICE))


def test_directions_of_an_evolution_strategy(bench):
    text = bench("antithetic_pairs").change(
        """
        import numpy as np

        def evolution_step(x, f, pop_size):
            eps = np.random.randn(pop_size, len(x))
            return eps.T @ f(x + eps) / pop_size
        """
    )
    assert "eps = antithetic(np.random.randn(pop_size, len(x)))" in text


@pytest.mark.parametrize(
    "change",
    [
        ("z = rng", "weights = rng"),
        (".mean()", ".max()"),
        ("price", "noisy_copy"),
        ("normal(n)", "normal(dim)"),
        ("import numpy as np", "import numpy as np  # antithetic"),
    ],
)
def test_leaves_alone(bench, change):
    assert not bench("antithetic_pairs").sites(
        PRICE.replace(*change).replace("0.2 * z", "0.2 * weights" if "weights" in change[1] else "0.2 * z")
    )
