"""An environment as the text of a Dockerfile: the same Python, packages, variables and command, for any container engine."""

from __future__ import annotations

import json
import re
from pathlib import Path

from autosota.records import Commands, Recipe

_HOST = re.compile(r"^/(?!workspace\b|tmp\b)")


def text(recipe: Recipe, commands: Commands) -> str:
    """A Dockerfile whose build context is the repository after repairs (`git -C history.git archive <commit>`)."""
    version = _version(recipe)
    lines = [
        f"# Environment {recipe.digest or 'of an interpreter of the host'}; build it in the repository as the baseline has it.",
        f"FROM python:{version}-slim",
        "RUN apt-get update && apt-get install -y --no-install-recommends git build-essential && rm -rf /var/lib/apt/lists/*",
        "WORKDIR /workspace",
    ]
    pins = [f"{package.name}=={package.version}" for package in recipe.packages]
    if any(pin.endswith("+cpu") for pin in pins):
        lines.append("ENV PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu")
    if pins:
        # Without dependencies: the list is complete, and what was relaxed on purpose stays so.
        lines.append("RUN pip install --no-cache-dir --no-deps \\\n    " + " \\\n    ".join(_quoted(pin) for pin in pins))
    for name, value in sorted(recipe.variables.items()):
        if not _HOST.match(value):
            lines.append(f"ENV {name}={json.dumps(value)}")
    lines.append("COPY . /workspace")
    command = commands.evaluate or " && ".join(filter(None, (commands.predict, commands.score)))
    lines.append(f"CMD {json.dumps(['sh', '-c', command.replace('{seed}', '${AUTOSOTA_SEED:-0}')])}")
    return "\n".join(lines) + "\n"


def _version(recipe: Recipe) -> str:
    """Python's version: of the environment's own library folder, else 3."""
    for folder in sorted(Path(recipe.prefix).glob("lib/python3.*")) if recipe.prefix else ():
        return folder.name.removeprefix("python")
    return "3"


def _quoted(pin: str) -> str:
    return pin if re.fullmatch(r"[\w.+=-]+", pin) else f"'{pin}'"
