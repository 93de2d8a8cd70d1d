"""Patches as files and colored lines."""

from __future__ import annotations

import pytest

from autosota.report import diffs
from tests.report.example_run import DIFF


def test_files_lines_and_counts_are_read() -> None:
    patch = diffs.parse(DIFF)
    assert [file.path for file in patch.files] == ["configs/default.yaml", "digits/model.py", "train.py"]
    assert (patch.added, patch.dropped, patch.cut) == (8, 3, 0)
    changed = [line for line in patch.files[0].lines if line.kind in ("add", "drop")]
    assert [(line.kind, line.old, line.new) for line in changed] == [("drop", 6, None), ("add", None, 6)]


def test_new_deleted_and_binary_files_are_named() -> None:
    patch = diffs.parse(
        "diff --git a/x.py b/x.py\nnew file mode 100644\n--- /dev/null\n+++ b/x.py\n@@ -0,0 +1 @@\n+x = 1\n"
        "diff --git a/y.bin b/y.bin\ndeleted file mode 100644\nBinary files a/y.bin and /dev/null differ\n"
        'diff --git "a/\\303\\244 b.py" "b/\\303\\244 b.py"\n@@ -1 +1 @@\n-a\n+b\n\\ No newline at end of file\n'
    )
    assert [file.change for file in patch.files] == ["new", "deleted", "changed"]
    assert patch.files[1].lines[0].kind == "note"
    assert patch.files[2].path.endswith(" b.py")
    assert patch.files[2].lines[-1].kind == "note"


@pytest.mark.parametrize("text", ["", "not a diff\n+++ ---", "diff --git", "@@ -1 +1 @@", "\x00" * 50])
def test_what_is_no_diff_has_no_lines(text: str) -> None:
    assert sum(len(file.lines) for file in diffs.parse(text).files) == 0


def test_a_changed_line_that_looks_like_a_header_stays_a_line() -> None:
    patch = diffs.parse(
        "diff --git a/a.sql b/a.sql\n--- a/a.sql\n+++ b/a.sql\n@@ -1,2 +1,2 @@\n--- old comment\n+++ new comment\n"
    )
    assert (patch.added, patch.dropped) == (1, 1)


def test_long_patches_and_long_lines_are_cut_and_counted() -> None:
    patch = diffs.parse("diff --git a/a b/a\n@@ -0,0 +1,5000 @@\n" + "+" + "y" * 5000 + "\n" + "+x\n" * 4999)
    assert sum(len(file.lines) for file in patch.files) == diffs.LINES
    assert patch.cut == 5001 - diffs.LINES
    assert patch.added == 5000
    assert sum(len(text) for _, text in patch.files[0].lines[1].words) < 500


@pytest.mark.parametrize("line", ["def f(x): return 'a#b' + \"c\"  # d", "  lr: 1e-3  # x", "'unclosed", "", "λ = 3_000"])
def test_colored_words_are_the_line_again(line: str) -> None:
    assert "".join(text for _, text in diffs.colored(line, "a.py")) == line


def test_words_are_colored_by_kind() -> None:
    kinds = {text: kind for kind, text in diffs.colored("return 'a' if 1.5 else None  # why", "a.py")}
    assert (kinds["return"], kinds["'a'"], kinds["1.5"], kinds["# why"]) == ("k", "s", "n", "c")
    assert diffs.colored("return 1", "a.png") == [("", "return 1")]
