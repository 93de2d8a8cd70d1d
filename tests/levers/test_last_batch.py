"""All rows are trained on."""

import pytest

COUNTED = """
class Model:
    rows = 0

    def partial_fit(self, x):
        self.rows += len(x)


def train(model, X, batch_size):
    for i in range(len(X) // batch_size):
        model.partial_fit(X[i * batch_size:(i + 1) * batch_size])
    return model.rows


print(train(Model(), list(range(10)), 4), train(Model(), list(range(8)), 4))
"""


def test_rounds_up(bench, run):
    text = bench("last_batch").change(COUNTED)
    assert (run(COUNTED).split(), run(text).split()) == (["8", "8"], ["10", "8"])


def test_stops_at_the_end(bench, run):
    text = COUNTED.replace("range(len(X) // batch_size)", "range(0, len(X) - batch_size, batch_size)").replace(
        "X[i * batch_size:(i + 1) * batch_size]", "X[i:i + batch_size]"
    )
    assert run(bench("last_batch").change(text)).split() == ["10", "8"]


@pytest.mark.parametrize(
    "change",
    [
        ("def train", "def evaluate"),
        ("model.partial_fit", "model.predict"),
        ("// batch_size", "// stride"),
        ("X[i *", "take(X, i)[0 *"),
    ],
)
def test_leaves_alone(bench, change):
    assert change[0] in COUNTED
    text = COUNTED.replace(*change)
    if change[0] == "X[i *":
        text = text.replace(":(i + 1) * batch_size]", ":]")
    assert not bench("last_batch").sites(text)
