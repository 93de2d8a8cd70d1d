"""Test rows that reach new code whole, in part, or from their files; and near misses. Beside `tests/suite`, which runs them."""

# ruff: noqa: E501 - cases hold whole lines of code

from __future__ import annotations

import pytest

from tests.redlines.cases import patch, screen

STUDY, NET = "study.py", "core/net.py"
SEEN = {
    "rows of the truth": ("SINGLE", [(STUDY, "forest.predict(q)", "forest.predict(q) + 0 * np.median(s[q[:, 0] > 1])")]),
    "a file of the evaluation": (
        "HANDMADE",
        [(NET, "class Net:", "import glob\nEXTRA = glob.glob(open('x').name)\n\nclass Net:")],
    ),
    "a table opened again": (
        "PACKAGED",
        [("engine/brain.py", "class Brain:", "ROWS = np.loadtxt('table/rows.csv')\n\nclass Brain:")],
    ),
}
PASSED = {
    "the shape of the truth": ("SINGLE", [(STUDY, "answer = forest.predict(q)", "answer = forest.predict(q).reshape(s.shape)")]),
    "a file of its own": ("PACKAGED", [("engine/brain.py", "class Brain:", "def save(x):\n    open('log.txt', 'w').write(x)\n\nclass Brain:")]),
}  # fmt: skip


@pytest.mark.parametrize("name", SEEN)
def test_test_rows_in_new_code_are_seen(name: str) -> None:
    base, edits = SEEN[name]
    verdict = screen(base, patch(base, *edits))  # type: ignore[arg-type]
    assert {"test-labels-used", "data-read-anew"} & {violation.rule for violation in verdict.violations}, verdict


@pytest.mark.parametrize("name", PASSED)
def test_near_misses_pass(name: str) -> None:
    base, edits = PASSED[name]
    verdict = screen(base, patch(base, *edits))  # type: ignore[arg-type]
    assert not {"test-labels-used", "data-read-anew"} & {violation.rule for violation in verdict.violations}, verdict


@pytest.mark.parametrize(("count", "status"), [(150, "review"), (12, "cleared")])
def test_a_table_in_settings_is_no_setting(count: int, status: str) -> None:
    text = f"[{', '.join(str(number) for number in range(count))}]"
    assert screen("PACKAGED", patch("PACKAGED", add={"engine/habits.json": text})).status == status
