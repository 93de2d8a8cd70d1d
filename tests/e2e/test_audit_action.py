"""The script behind the Action: a revision judged against the task file of its base."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import kit
from tests.kit import CommandLine

ROOT = Path(__file__).parent.parent.parent
TASK = """
[evaluation]
command = "python evaluate.py"
protected = ["evaluate.py"]
[[metric]]
name = "accuracy"
direction = "max"
"""
FILES = {
    "evaluate.py": "from model import RATE\nprint('accuracy:', 1 - RATE)\n",
    "model.py": "RATE = 0.25\n",
    "autosota.toml": TASK,
}


def git(folder: Path, *words: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


@pytest.mark.parametrize(
    "change, code, words",
    [
        ({"model.py": "RATE = 0.20\n"}, 0, "clean"),
        ({"evaluate.py": "print('accuracy:', 0.99)\n"}, 5, "REJECTED"),
        (
            {"evaluate.py": "print('accuracy:', 0.99)\n", "autosota.toml": TASK.replace('"evaluate.py"]', '"none"]')},
            5,
            "REJECTED",
        ),
    ],
    ids=["honest", "scorer", "its-own-rules"],
)
def test_a_revision_is_judged_by_the_rules_of_its_base(
    autosota: CommandLine, change: dict[str, str], code: int, words: str
) -> None:
    folder = kit.write(autosota.folder / "repository", FILES)
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=base")
    git(folder, "checkout", "--quiet", "-b", "change")
    kit.write(folder, change)
    git(folder, "commit", "--quiet", "--all", "--message=change")
    output = autosota.folder / "output"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    variables = {**autosota.variables, "PATH": path, "BASE": "main", "CANDIDATE": "change", "GITHUB_OUTPUT": str(output)}
    script = ROOT / "tools" / "audit_action.sh"
    done = subprocess.run(["bash", script], cwd=folder, env=variables, capture_output=True, text=True, check=False)
    assert (done.returncode, words in done.stdout) == (code, True), (done.stdout, done.stderr)
    assert output.read_text() == f"grade={'' if words == 'clean' else words}\n"
    worktrees = subprocess.run(["git", "worktree", "list"], cwd=folder, capture_output=True, text=True, check=True)
    assert len(worktrees.stdout.splitlines()) == 1
