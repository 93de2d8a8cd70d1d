"""S19: what the environment is built from."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import PurePosixPath

from autosota import syntax
from autosota.records import Violation
from autosota.redlines.difference import Difference, File

_LISTS = re.compile(r"^(requirements|constraints|dev-requirements|test-requirements).*\.(txt|in|pip)$", re.IGNORECASE)
_FILES = {"setup.py", "setup.cfg", "pipfile", "pipfile.lock", "poetry.lock", "uv.lock", "pdm.lock", "pylock.toml",
          "environment.yml", "environment.yaml", "conda.yml", "conda.yaml", "dockerfile", "pyproject.toml"}  # fmt: skip
_FIX = "leave the environment as it is; both arms run in the baseline's"


def changed(difference: Difference) -> Iterator[Violation]:
    """A dependency list says something else than before; comments and order do not count."""
    for file in difference.files:
        name = PurePosixPath(file.path).name.lower()
        if not (
            _LISTS.match(name)
            or name in _FILES
            or (PurePosixPath(file.path).parent.name == "requirements" and name.endswith(".txt"))
        ):
            continue
        if _said(file, file.before) != _said(file, file.after):
            evidence = "dependencies differ from the baseline's; they are not installed for the candidate"
            yield Violation(
                red_line="R2",
                rule="dependency-changed",
                action="review",
                evidence=evidence,
                file=file.path,
                line=file.first_line(),
                fix=_FIX,
            )


def _said(file: File, data: bytes | None) -> object:
    content = syntax.text(data) if data is not None else ""
    if content is None:
        return data
    if file.path.lower().endswith("pyproject.toml"):
        try:
            table = tomllib.loads(content)
        except tomllib.TOMLDecodeError:
            return content
        project, tool = table.get("project", {}), table.get("tool", {})
        return (
            project.get("dependencies"), project.get("optional-dependencies"), project.get("requires-python"),
            table.get("build-system"), table.get("dependency-groups"), tool.get("poetry", {}).get("dependencies"),
            tool.get("uv"), tool.get("pytest"), tool.get("setuptools"), tool.get("hatch"),
        )  # fmt: skip
    lines = (re.sub(r"(^|\s)#.*", "", line).strip() for line in content.splitlines())
    return sorted(line for line in lines if line)
