"""What README and docs say holds: pages match the code, paths and symbols exist, commands parse, figures are on record."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest

from autosota import cli, zones
from autosota.errors import UsageError
from autosota.records import Commands
from autosota.taskfile import TaskFile

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "examples" / "README.md", *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]+)\)")
COMMAND = re.compile(r"^\s*(?:\$ )?(?:[A-Z_]+=\S+ )*autosota (.+?)(?:\s+#.*)?$", re.MULTILINE)


def _make_docs() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_docs", ROOT / "tools" / "make_docs.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MAKE_DOCS = _make_docs()


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.fixture(params=PAGES, ids=_name)
def page(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def _prose(text: str) -> str:
    return FENCE.sub("", text)


# ── made from the code ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", MAKE_DOCS.PAGES)
def test_reference_pages_say_what_the_code_says(name: str) -> None:
    made = MAKE_DOCS.PAGES[name]()
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == made, "run: python tools/make_docs.py"


def test_every_key_check_and_rule_is_explained() -> None:
    for name in ("task-file.md", "red-lines.md", "skills.md", "levers.md", "cli.md"):
        for line in (ROOT / "docs" / name).read_text(encoding="utf-8").splitlines():
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            if cells and cells[0].startswith(("`", "[")):
                assert all(cells), f"docs/{name}: an empty cell: {line}"


# ── paths and symbols ─────────────────────────────────────────────────────────────────────────────────────────────────


def _anchors(path: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", FENCE.sub("", path.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_relative_links_lead_somewhere(page: Path) -> None:
    prose = _prose(page.read_text(encoding="utf-8"))
    targets = [target for _, target in LINK.findall(prose)] + re.findall(r'(?:src|srcset)="([^"]+)"', prose)
    for target in targets:
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = unquote(target).partition("#")
        found = page.parent / path if path else page
        assert found.exists(), f"{target} does not exist"
        if anchor and found.suffix == ".md":
            assert anchor in _anchors(found), f"{target}: no such heading"


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))], ids=_name
)
def test_paths_in_code_marks_exist(page: Path) -> None:
    for words in re.findall(r"`([^`\n]+)`", _prose(page.read_text(encoding="utf-8"))):
        for path in re.findall(r"(?<![\w/.-])(?:src|tests|docs|tools|examples|benchmarks|\.ci)/[\w./-]*", words):
            assert (ROOT / path).exists(), f"{path} does not exist"


def _symbols(path: Path) -> set[str]:
    """Functions, classes, methods and constants of a module, as `name` or `Class.name`."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{item.name}" for item in node.body if isinstance(item, ast.FunctionDef)}
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


def test_linked_symbols_are_in_the_files_they_link_to(page: Path) -> None:
    for words, target in LINK.findall(_prose(page.read_text(encoding="utf-8"))):
        symbol = re.fullmatch(r"`([A-Za-z_]\w*(?:\.\w+)?)`", words)
        if symbol and target.endswith(".py"):
            known = _symbols(page.parent / target)
            # docs/red-lines.md names a check by its module and function.
            name = symbol[1].removeprefix(f"{Path(target).stem}.")
            assert name in known, f"{words} is not in {target}"


def test_the_tour_visits_ten_files_in_order() -> None:
    heads = re.findall(r"^## (\d+)\. .*: (\S+\.py)", (ROOT / "docs" / "tour.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert [int(number) for number, _ in heads] == list(range(1, 11))
    for _, path in heads:
        assert (ROOT / "src" / "autosota" / path).is_file()


def test_the_zones_that_the_tour_tells_are_those_of_the_demo() -> None:
    root = ROOT / "src" / "autosota" / "demo" / "repository"
    tree = {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    line = "python train.py --config configs/kitchen_sinks.yaml --seed"
    found = zones.find(tree, Commands(evaluate=f"{line} {{seed}}"), read=None, protected=(), free=())
    text = (ROOT / "docs" / "tour.md").read_text(encoding="utf-8")
    assert f"`{line} 0`" in text
    assert found.symbols.get("train.py")
    for name in ("kitchensinks/data.py", "kitchensinks/metrics.py", *found.symbols["train.py"]):
        assert f"`{name}`" in text
    assert set(found.protected) >= {"kitchensinks/data.py", "kitchensinks/metrics.py"} and "train.py" not in found.protected


# ── commands and examples ─────────────────────────────────────────────────────────────────────────────────────────────


def _commands(text: str) -> Iterator[str]:
    for language, block in FENCE.findall(text):
        if language in ("bash", "sh", "console"):
            yield from (match[1] for part in re.split(r"\s&&\s", block) for match in COMMAND.finditer(part))
    for words in re.findall(r"`(autosota [^`\n]+)`", _prose(text)):
        yield words.removeprefix("autosota ")


def _names() -> list[str]:
    """Every command."""
    with pytest.raises(UsageError) as error:
        cli._parser().parse_args(["no-such-command"])
    return re.findall(r"'?(\w+)'?(?=[,)])", error.value.message.partition("choose from")[2])


def test_commands_that_are_shown_parse(page: Path) -> None:
    for command in _commands(page.read_text(encoding="utf-8")):
        words = [str(1) if word == "N" else word for word in shlex.split(command)]
        if words in [[name] for name in _names()]:
            continue  # the command's name, in a sentence
        try:
            cli._parser().parse_args(words)
        except UsageError as error:
            pytest.fail(f"autosota {command}: {error.message}")
        except SystemExit:
            assert "--help" in words or "--version" in words


def test_every_command_is_shown() -> None:
    shown = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    names = _names()
    assert len(names) >= 10
    for name in names:
        assert f"## autosota {name}\n" in shown


@pytest.mark.parametrize("name", ["README.md", "docs/task-file.md"])
def test_task_files_that_are_shown_are_valid(name: str) -> None:
    blocks = [block for language, block in FENCE.findall((ROOT / name).read_text(encoding="utf-8")) if language == "toml"]
    assert blocks
    for block in blocks:
        TaskFile.model_validate(tomllib.loads(block))


def test_exit_codes_that_are_shown_are_those_of_the_code() -> None:
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| (\d+) \|.*\| ([^|]*) \|$", text, re.MULTILINE))
    for grade, code in cli.GRADE_CODES.items():
        assert (grade or "clean") in rows[str(code)]
    errors = (ROOT / "src" / "autosota" / "errors.py").read_text(encoding="utf-8")
    assert {int(code) for code in re.findall(r"exit_code = (\d+)", errors)} <= {int(code) for code in rows}


# ── figures ───────────────────────────────────────────────────────────────────────────────────────────────────────────

QUANTITY = re.compile(r"\b\d[\d.,]*\s?(?:ms|s|seconds|minutes|min|MiB|MB|GB|GiB|times|x)\b")


def _on_record() -> str:
    places = (ROOT / "docs" / "measured.json", ROOT / "docs" / "figures.md")
    return "\n".join(path.read_text(encoding="utf-8") for path in places if path.exists())


def test_quantities_in_the_readme_are_on_record() -> None:
    record = _on_record()
    for found in QUANTITY.findall(_prose((ROOT / "README.md").read_text(encoding="utf-8"))):
        number = re.match(r"[\d.,]+", found)
        assert number is not None
        assert re.search(rf"(?<![\d.]){re.escape(number[0])}(?![\d])", record), f"{found!r} stands in no record of a measurement"


def _said(value: float, text: str) -> bool:
    """Does a number of the text, with at least three decimals, round from `value`?"""
    found = [(float(f"{whole}.{part}"), len(part)) for whole, part in re.findall(r"(\d+)\.(\d{3,})", text)]
    return any(abs(number - value) <= 0.501 * 10.0**-places for number, places in found)


def test_the_readme_shows_the_measured_run() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.search(r"<!-- demo -->\n```text\n(.*?)```", text, re.DOTALL)
    assert shown is not None
    demo = json.loads((ROOT / "docs" / "measured.json").read_text(encoding="utf-8"))["demo"]
    assert shown[1].startswith(f"{demo['grade']} ({demo['assurance']})\n")
    for name in ("baseline", "best", "gain", "low", "high"):
        assert _said(demo[name], shown[1]), f"{name} is {demo[name]}"
    assert f"{demo['pairs']} fresh pairs" in shown[1]
    for label in demo["labels"]:
        assert f"  {label}: " in shown[1]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pictures_are_whole_and_load_nothing(theme: str) -> None:
    text = (ROOT / "docs" / "images" / f"demo-{theme}.svg").read_text(encoding="utf-8")
    picture = ElementTree.fromstring(text)
    assert picture.tag.endswith("svg") and picture.get("viewBox")
    assert "var(--" not in text and "<script" not in text and not re.search(r"(href|url\()=?[\"']?https?:", text)
    demo = json.loads((ROOT / "docs" / "measured.json").read_text(encoding="utf-8"))["demo"]
    words = " ".join(element.text or "" for element in picture.iter() if element.tag.endswith("}text"))
    assert _said(demo["gain"], words)


def test_tables_of_the_readme_are_not_wider_than_their_heads(page: Path) -> None:
    text = _prose(page.read_text(encoding="utf-8"))
    for table in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.strip().splitlines()}
        assert len(widths) == 1, f"rows of different width in {_name(page)}: {table.splitlines()[0]}"
