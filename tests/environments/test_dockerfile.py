"""The same recipe as a Dockerfile."""

from __future__ import annotations

from pathlib import Path

from autosota.environments import dockerfile
from autosota.records import Commands, Package, Recipe


def test_python_packages_variables_and_command_are_the_same(tmp_path: Path) -> None:
    (tmp_path / "lib/python3.9/site-packages").mkdir(parents=True)
    recipe = Recipe(
        digest="abc", python=str(tmp_path / "bin/python"), prefix=str(tmp_path),
        packages=(Package(name="numpy", version="1.26.4"), Package(name="torch", version="2.6.0+cpu")),
        variables={"PYTHONPATH": "/workspace/src", "MPLBACKEND": "Agg", "HF_HOME": "/home/someone/cache"},
    )  # fmt: skip
    text = dockerfile.text(recipe, Commands(evaluate='cd code && python evaluate.py --name "a b" --seed {seed}'))
    lines = text.splitlines()
    assert "FROM python:3.9-slim" in lines
    assert "--no-deps" in text and "numpy==1.26.4" in text and "torch==2.6.0+cpu" in text
    assert "ENV PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu" in lines
    assert 'ENV PYTHONPATH="/workspace/src"' in lines and 'ENV MPLBACKEND="Agg"' in lines
    assert "/home/someone" not in text, "folders of this machine mean nothing in a container"
    assert lines[-1] == r'CMD ["sh", "-c", "cd code && python evaluate.py --name \"a b\" --seed ${AUTOSOTA_SEED:-0}"]'
    assert lines.index("COPY . /workspace") > lines.index("FROM python:3.9-slim")


def test_two_commands_follow_each_other() -> None:
    recipe = Recipe(digest="", python="/usr/bin/python3", prefix="")
    text = dockerfile.text(recipe, Commands(predict="python p.py", score="python s.py", outputs=("o",)))
    assert text.endswith('CMD ["sh", "-c", "python p.py && python s.py"]\n')
    assert "pip install" not in text and "FROM python:3-slim" in text
