"""Conventions that a reader relies on: who may import whom, sizes, homes of libraries, words."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "autosota"
FILES = sorted(path for path in SOURCE.rglob("*.py") if "demo/repository" not in path.as_posix())
LEVELS = (
    ("records", "errors", "taskfile", "formats", "syntax"),
    ("ports", "models", "coders", "sandboxes", "engines"),
    ("config", "redlines", "search", "skills", "levers", "knobs", "workspace", "store", "ask", "failures", "assets", "paper",
     "metrics", "zones", "provenance", "protocol", "statistics", "environments", "items", "perturbing",
     "slices", "candidates", "archives", "repositories", "rubrics", "entrypoints", "survey", "progress", "downloads", "seeds",
     "literature", "crossed", "rows", "crossing",
     "withholding", "sealing", "derived", "harvest", "signing"),
    ("evaluation", "battery", "exports", "vault", "resampling", "tracing", "separation", "commands", "preparation", "draft",
     "leavings"),
    ("agents", "session", "leash"),
    ("conclusion", "pipeline", "bundle", "report", "views", "transcript", "fleet"),
    ("cli", "compose", "audit", "verification", "splitting", "doctor", "cleaning", "demo"),
)  # fmt: skip
LEVEL = {name: level for level, names in enumerate(LEVELS) for name in names}
HOMES = {
    "optuna": {"search"}, "pypdfium2": {"paper"}, "jinja2": {"ask", "report"},
    "tomlkit": {"knobs", "store", "protocol", "draft", "preparation"}, "rich": {"progress", "views"},
}  # fmt: skip
ADAPTERS = {"models", "coders", "sandboxes", "engines"}


def _imports(path: Path) -> list[tuple[str, int]]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "autosota":
                found += [(f"autosota.{alias.name}", node.lineno) for alias in node.names]
            else:
                found.append((node.module, node.lineno))
    return found


def _part(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_imports_point_down_and_libraries_have_one_home(path: Path) -> None:
    part = _part(path)
    if part == "__init__":
        return
    assert part in LEVEL, f"give {part} a level in this test and in docs/design/layers.md"
    for module, line in _imports(path):
        top = module.split(".")[0]
        if top == "autosota" and "." in module:
            other = module.split(".")[1]
            if other.startswith("_") or other == part:
                continue
            assert other in LEVEL, f"{path}:{line} imports {module}"
            assert LEVEL[other] <= LEVEL[part], (
                f"{path}:{line}: {part} (level {LEVEL[part]}) imports {other} (level {LEVEL[other]})"
            )
            if other in ADAPTERS:
                assert part in ("compose", "doctor"), f"{path}:{line}: only compose may import the adapter {other}"
        elif top in HOMES:
            assert part in HOMES[top], f"{path}:{line}: {top} lives in {HOMES[top]}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text()
    most = 740 if path.name == "records.py" else 420
    assert len(text.splitlines()) <= most, "split the file: one concept each"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= 70, f"{node.name} has {length} lines"


def test_every_module_and_public_function_says_what_it_promises() -> None:
    bare = []
    for path in FILES:
        module = ast.parse(path.read_text())
        if not ast.get_docstring(module):
            bare.append(str(path))
        for node in module.body:
            public = isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_")
            if public and not ast.get_docstring(node):  # type: ignore[arg-type]
                bare.append(f"{path}:{node.lineno} {node.name}")  # type: ignore[attr-defined]
    assert not bare


def test_no_mocks_and_no_machine_paths() -> None:
    me = Path(__file__)
    for path in [*FILES, *ROOT.glob("tests/**/*.py"), *ROOT.glob("docs/**/*.md"), ROOT / "README.md"]:
        text = path.read_text(errors="replace")
        if path != me:
            assert not re.search(r"^\s*(from|import) (unittest\.)?mock|MagicMock\(", text, re.MULTILINE), path
            assert not re.search(r"/work/(main|shared)|/root/\.pyenv", text), path
