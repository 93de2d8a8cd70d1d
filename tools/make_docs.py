"""The reference pages that are made from the code: task file, command line, red lines, skills, levers.

    python tools/make_docs.py          writes docs/{task-file,cli,red-lines,skills,levers}.md
    python tools/make_docs.py --check  says which of them are not what the code says

`tests/test_docs.py` fails when one of them has drifted. What no code says (an example, what is known not to be caught) stands
in tools/pages/, one file a page, and is put in front or behind.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import re
import sys
import textwrap
import types
import typing
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
WORDS = ROOT / "tools" / "pages"
SOURCE = ROOT / "src" / "autosota"
NOTE = "<!-- made by tools/make_docs.py; edit the code or tools/pages/ -->\n"


def _cell(text: object) -> str:
    return re.sub(r"\s+", " ", str(text)).strip().replace("|", "\\|")


def _table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    names = list(head)
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    return "\n".join([*lines, *("| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows)]) + "\n"


def _words(name: str) -> str:
    return (WORDS / name).read_text(encoding="utf-8").strip() + "\n"


# ── task file ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def task_file() -> str:
    """docs/task-file.md, from the models that validate it."""
    from autosota import records, taskfile

    tables = (
        ("Top of the file", taskfile.TaskFile, ()),
        ("`[evaluation]`", taskfile.EvaluationTable, ()),
        ("`[evaluation.schema]`", taskfile.SchemaTable, ()),
        ("`[[metric]]`", taskfile.MetricTable, ()),
        ("`[[constraint]]`", records.Constraint, ("evidence",)),
        ("`[budget]`", taskfile.BudgetTable, ()),
    )
    parts = ["# The task file\n", NOTE, _words("task-file.md")]
    about = {"`[evaluation.schema]`": _field_docstrings(taskfile.EvaluationTable)["schema_"] + "\n"}
    for title, model, hidden in tables:
        said = _field_docstrings(model)
        rows = []
        for name, field in model.model_fields.items():
            if name in hidden or _is_table(field.annotation):
                continue
            words = said.get(name, "")
            rows.append((f"`{field.alias or name}`", _kind(field.annotation), words))
        parts += [f"## {title}\n", about.get(title, ""), _table(("key", "value", "meaning"), rows)]
    return "\n".join(parts)


def _field_docstrings(model: type) -> dict[str, str]:
    """Field → the string below it."""
    body = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0]
    assert isinstance(body, ast.ClassDef)
    found = {}
    for field, after in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(after, ast.Expr):
            found[field.target.id] = str(ast.literal_eval(after.value))
    return found


def _is_table(annotation: Any) -> bool:
    inner = [annotation, *typing.get_args(annotation)]
    return any(isinstance(kind, type) and hasattr(kind, "model_fields") for kind in inner)


def _kind(annotation: Any) -> str:
    """A type in words."""
    origin, inner = typing.get_origin(annotation), [kind for kind in typing.get_args(annotation) if kind is not type(None)]
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(_kind(kind) for kind in inner))
    if origin is typing.Literal:
        return ", ".join(f'`"{choice}"`' for choice in inner)
    if origin is tuple:
        kind = _kind(inner[0])
        return "list of " + {"text": "texts", "number": "numbers"}.get(kind, f"({kind})")
    if origin is dict:
        return "table"
    names = {str: "text", int: "number", float: "number", bool: "true or false"}
    return names.get(annotation, str(annotation))


# ── command line ──────────────────────────────────────────────────────────────────────────────────────────────────────


EVERYWHERE = ("help", "json", "quiet")
"""Options of every command: the page says so once."""


def command_line() -> str:
    """docs/cli.md, from the parsers. Tables of our own, since argparse's help differs between Python versions."""
    from autosota import cli

    parser = cli._parser()
    commands = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    flags = {
        name: [_flag(action) for action in command._actions if action.dest not in EVERYWHERE]
        for name, command in commands.choices.items()
    }
    shared = [flag for flag in flags["demo"] if flag in flags["run"] and flag in flags["audit"]]
    parts = ["# Commands\n", NOTE, f"{parser.description}\n", _words("cli.md")]
    for name, command in commands.choices.items():
        own = [flag for flag in flags[name] if flag not in shared or len(flags[name]) < len(shared)]
        more = len(own) < len(flags[name])
        usage = " ".join([f"autosota {name}", *(_usage(action) for action in command._actions if not action.option_strings)])
        required = [_usage(action) for action in command._actions if action.option_strings and action.required]
        parts += [
            f"## autosota {name}\n",
            f"{command.description}\n",
            f"```text\n{' '.join([usage, *required])} [OPTIONS]\n```\n",
        ]
        parts += [_table(("", ""), own)] if own else []
        parts += ["And the [shared options](#shared-options).\n"] if more else []
    parts += ["## Shared options\n", "Of `run`, `replicate`, `demo` and `audit`.\n", _table(("", ""), shared)]
    return "\n".join(parts)


def _flag(action: argparse.Action) -> tuple[str, str]:
    """An argument or option with its value, and its help."""
    value = (
        action.metavar
        if isinstance(action.metavar, str)
        else "{" + ",".join(action.choices) + "}"
        if action.choices
        else action.dest.upper()
    )
    names = [f"{name} {value}" if action.nargs != 0 else name for name in action.option_strings] or [value]
    return ", ".join(f"`{name}`" for name in names), action.help or ""


def _usage(action: argparse.Action) -> str:
    if action.option_strings:
        return f"{action.option_strings[0]} {action.metavar}"
    return f"[{action.metavar}]" if action.nargs == "?" else str(action.metavar)


# ── red lines ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def red_lines() -> str:
    """docs/red-lines.md, from `redlines.ALL` and the places that make violations."""
    from autosota import redlines

    rules = _merged(_rules())
    parts = ["# Red lines\n", NOTE, _words("red-lines.md")]
    for line in redlines.ALL:
        parts += [f"## {line.id}: {line.title}\n", f"> {line.text}\n"]
        for check in line.checks:
            name = f"{check.__module__.rpartition('.')[2]}.{check.__name__}"
            path = f"../src/{check.__module__.replace('.', '/')}.py"
            said = re.sub(r"^(S\d+|R\d(, R\d)*): ", "", _cell(check.__doc__))
            parts.append(f"- [`{name}`]({path}): {said[0].lower()}{said[1:]}")
        path = f"../src/{type(line).__module__.replace('.', '/')}.py"
        for stage, words in (("idea", "ideas"), ("measurements", "measurements")):
            if stage in vars(type(line)):
                said = _cell(inspect.getdoc(getattr(line, stage)))
                parts.append(f"- [{words}]({path}): {said[0].lower()}{said[1:]}")
        own = [(f"`{rule}`", actions, fix or "nothing to do") for (ids, rule), (actions, fix) in rules.items() if line.id == ids]
        parts += ["", _table(("rule", "action", "how an honest author repairs it"), own)]
    none = [(f"`{rule}`", actions, fix) for (ids, rule), (actions, fix) in rules.items() if ids == "None"]
    parts += ["## No red line\n", "Both end as REJECTED, without blame.\n", _table(("rule", "action", "repair"), none)]
    return "\n".join([*parts, _words("red-lines-open.md")])


Rule = tuple[str, str, str, str]
"""Red line, rule, action, fix; "" where one says nothing."""


def _merged(found: Iterable[Rule]) -> dict[tuple[str, str], tuple[str, str]]:
    """(red line, rule) → its actions, strictest first, and the fullest fix."""
    order = ("reject", "review", "disclose", "note", "")
    rules: dict[tuple[str, str], tuple[str, str]] = {}
    for line, rule, action, fix in sorted(found, key=lambda item: (item[0], order.index(item[2]), item[1])):
        actions, longest = rules.get((line, rule), ("", ""))
        if action and action not in actions.split(" or "):
            actions = f"{actions} or {action}" if actions else action
        rules[line, rule] = (actions, max(longest, fix, key=len))
    return rules


def _rules() -> Iterator[Rule]:
    """What every `Violation(...)` in the code can say."""
    for path in [*sorted((SOURCE / "redlines").rglob("*.py")), *sorted((SOURCE / "agents").glob("*.py"))]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef):
                for call in ast.walk(function):
                    if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Violation":
                        yield from _said({item.arg: item.value for item in call.keywords if item.arg}, function, tree)


def _said(given: dict[str, ast.expr], function: ast.FunctionDef, module: ast.Module) -> Iterator[Rule]:
    """One construction; values that one condition decides together stay together."""
    tests = {ast.dump(value.test) for value in given.values() if isinstance(value, ast.IfExp)}
    for test in tests if len(tests) == 1 else [None]:
        for side in ("body", "orelse") if test else ("body",):
            chosen = {
                name: getattr(value, side) if test and isinstance(value, ast.IfExp) else value for name, value in given.items()
            }
            # `self.id`: said by every red line.
            lines = _texts(chosen["red_line"], function, module, r"R\d|None") or [f"R{number}" for number in range(1, 8)]
            actions = _texts(chosen["action"], function, module, "reject|review|disclose|note") or [""]
            if side == "orelse":
                actions = [action for action in actions if f"value='{action}'" not in (test or "")] or actions
            fix = max(_texts(chosen["fix"], function, module, ".+") if "fix" in chosen else [""], key=len)
            for rule in _texts(chosen["rule"], function, module, "[a-z]+(-[a-z]+)*"):
                yield from ((line, rule, action, fix) for line in lines for action in actions)


def _texts(node: ast.expr, function: ast.FunctionDef, module: ast.Module, wanted: str) -> list[str]:
    """Every text that an expression can be: constants, both sides of a choice, and what a name was given or passed."""
    found: list[str] = []
    if isinstance(node, ast.Constant):
        found = [str(node.value)]
    elif isinstance(node, ast.IfExp):
        found = _texts(node.body, function, module, wanted) + _texts(node.orelse, function, module, wanted)
    elif isinstance(node, ast.JoinedStr):
        found = _joined(node, wanted)
    elif isinstance(node, ast.Name):
        for scope in (_given(node.id, function), _passed(node.id, function, module), _given(node.id, module)):
            found = [text for value in scope for text in _texts(value, function, module, wanted)]
            if found:
                break
    return [text for text in dict.fromkeys(found) if re.fullmatch(wanted, text)]


def _joined(node: ast.JoinedStr, wanted: str) -> list[str]:
    """An f-string: `word` is a bound's name, everything else is shown as …."""
    texts = [""]
    for part in node.values:
        choices = [str(part.value)] if isinstance(part, ast.Constant) else ["…"]
        if isinstance(part, ast.FormattedValue) and isinstance(part.value, ast.Name) and part.value.id == "word":
            choices = ["bound"] if wanted == ".+" else ["floor", "ceiling"]
        texts = [text + choice for text in texts for choice in choices]
    return texts


def _passed(name: str, function: ast.FunctionDef, module: ast.Module) -> list[ast.expr]:
    """What the module's own calls pass for a parameter of a function."""
    names = [argument.arg for argument in function.args.args]
    if name not in names:
        return []
    at, found = names.index(name), []
    for call in ast.walk(module):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == function.name:
            found += [item.value for item in call.keywords if item.arg == name] or call.args[at : at + 1]
    return found


def _given(name: str, scope: ast.AST) -> list[ast.expr]:
    """What a name is assigned in a scope, by `=`, by unpacking, and in loops over literal tuples."""
    found: list[ast.expr] = []
    for node in ast.walk(scope) if not isinstance(scope, ast.Module) else scope.body:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name) and target.id == name:
                    found.append(node.value)
                elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    pairs = zip(target.elts, node.value.elts, strict=False)
                    found += [value for place, value in pairs if isinstance(place, ast.Name) and place.id == name]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == name and node.value:
            found.append(node.value)
    return found


# ── skills and levers ─────────────────────────────────────────────────────────────────────────────────────────────────


def skills() -> str:
    """docs/skills.md, from the folders."""
    from autosota import skills as library

    found = library.load()
    rows = [
        (f"[{skill.name}](../src/autosota/skills/{skill.name}/SKILL.md)", skill.description,
         ", ".join(skill.touches) if skill.function else "nothing: says what a person must do", skill.priority)
        for skill in found
    ]  # fmt: skip
    head = ("skill", "failure", "the repair may touch", "priority")
    return "\n".join(["# Repair skills\n", NOTE, _words("skills.md"), f"{len(found)} skills:\n", _table(head, rows)])


def levers() -> str:
    """docs/levers.md, from the modules."""
    from autosota import levers as library

    found = library.load()
    rows = [
        (f"[{lever.name}](../src/autosota/levers/{lever.name}.py)", lever.title + (" (leap)" if lever.leap else ""),
         f"{lever.level}, {lever.scope}, {lever.risk} risk", lever.priority, lever.rationale)
        for lever in found
    ]  # fmt: skip
    head = ("lever", "what it does", "kind", "priority", "why")
    return "\n".join(["# Levers\n", NOTE, _words("levers.md"), f"{len(found)} levers:\n", _table(head, rows)])


# ── layers ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def layers() -> str:
    """docs/design/layers.md, from the lists that tests/test_architecture.py enforces."""
    tree = ast.parse((ROOT / "tests" / "test_architecture.py").read_text(encoding="utf-8"))
    known: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id in ("LEVELS", "HOMES"):
            known[node.targets[0].id] = ast.literal_eval(node.value)
    rows = [(level, ", ".join(_part(name) for name in names)) for level, names in reversed(list(enumerate(known["LEVELS"])))]
    homes = [(f"`{library}`", ", ".join(_part(name) for name in sorted(parts))) for library, parts in known["HOMES"].items()]
    return "\n".join(
        [
            "# Who may import whom\n", NOTE, _words("layers.md"), _table(("level", "parts"), rows),
            _table(("library", "lives in"), homes), _words("layers-more.md"),
        ]
    )  # fmt: skip


def _part(name: str) -> str:
    """A part of the package as a link to where it lies; the bare name where it does not exist."""
    for path in (f"{name}.py", f"{name}/__init__.py"):
        if (SOURCE / path).exists():
            return f"[{name}](../../src/autosota/{path})"
    return name


PAGES: dict[str, Callable[[], str]] = {
    "design/layers.md": layers,
    "task-file.md": task_file, "cli.md": command_line, "red-lines.md": red_lines, "skills.md": skills, "levers.md": levers,
}  # fmt: skip


def main() -> int:
    """Write or check every page."""
    parser = argparse.ArgumentParser(description="Make the reference pages from the code.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 where a page has drifted")
    check = parser.parse_args().check
    drifted = [name for name, make in PAGES.items() if not (DOCS / name).exists() or (DOCS / name).read_text("utf-8") != make()]
    for name in drifted:
        print(f"docs/{name}" + (" has drifted: python tools/make_docs.py" if check else ""))
        if not check:
            (DOCS / name).write_text(PAGES[name](), encoding="utf-8")
    return int(check and bool(drifted))


if __name__ == "__main__":
    sys.exit(main())
