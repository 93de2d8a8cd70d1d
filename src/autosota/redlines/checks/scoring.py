"""S13 and S15: scores written by hand, and failures that vanish."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from autosota.records import Violation
from autosota.redlines.checks import fresh, splits
from autosota.redlines.difference import Difference
from autosota.zones import calls

_ENDS = {
    "os._exit",
    "os.abort",
    "os.kill",
    "os.killpg",
    "signal.signal",
    "faulthandler.disable",
    "os.execv",
    "os.execvp",
    "os.fork",
}


def spoofed(difference: Difference) -> Iterator[Violation]:
    """S13: new output that reads like a metric, or new writes to the files that metrics and predictions are taken from."""
    case = difference.case
    names = [re.escape(re.sub(r"[\W_]+", " ", spec.name.lower()).strip()) for spec in case.rubric.metrics]
    said = re.compile(rf"^\W*({'|'.join(names)})\W*[:=]") if names else None
    commands = case.environment.commands
    files = {PurePosixPath(path).name for path in (*commands.outputs, *filter(None, (commands.metrics, commands.items)))}
    pieces = {id(call) for scope in difference.states[1].flow.pieces.values() for call in scope.values()} if files else set()
    measured = set(splits.measured(difference)) if said else set()
    for found in fresh.nodes(difference, ast.Call):
        assert isinstance(found.node, ast.Call)
        name = found.module.callee(found.node)
        arguments = (*found.node.args, *(keyword.value for keyword in found.node.keywords))
        if any((found.file.path, item.lineno, item.col_offset) in measured for item in arguments):
            continue
        texts = [item.value for item in ast.walk(found.node) if isinstance(item, ast.Constant) and isinstance(item.value, str)]
        if calls.is_sink(found.node, name) and said and any(said.search(re.sub(r"_+", " ", text.lower())) for text in texts):
            yield _violation(found, f"prints what reads like a metric: {ast.unparse(found.node)[:100]}")
        elif (
            any(PurePosixPath(text).name in files for text in texts)
            and _writes(found.node, name)
            and id(found.node) not in pieces
        ):
            yield _violation(found, f"writes where the result is read from: {ast.unparse(found.node)[:100]}")


def _writes(call: ast.Call, name: str) -> bool:
    modes = [
        item.value
        for item in (*call.args[1:2], *(k.value for k in call.keywords if k.arg == "mode"))
        if isinstance(item, ast.Constant)
    ]
    return name.rsplit(".", 1)[-1] in calls.SINKS | {
        "save",
        "savez",
        "touch",
        "rename",
        "replace",
        "copy",
        "copyfile",
        "move",
        "unlink",
    } or any(isinstance(mode, str) and set(mode) & set("wax+") for mode in modes)


def _violation(found: fresh.Fresh, evidence: str) -> Violation:
    return Violation(
        red_line="R2",
        rule="score-written",
        action="review",
        evidence=evidence,
        file=found.file.path,
        line=found.line,
        fix="let the evaluation report; name progress lines differently from the metrics",
    )


def swallowed(difference: Difference) -> Iterator[Violation]:
    """S15: new handlers that hide every failure (note), and ways out of the process that skip the rest (review)."""
    for found in fresh.nodes(difference, ast.ExceptHandler, ast.Call):
        node = found.node
        if isinstance(node, ast.ExceptHandler):
            broad = node.type is None or (isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException"))
            if broad and all(isinstance(item, (ast.Pass, ast.Continue)) for item in node.body):
                evidence = "a failure of any kind is passed over"
                yield Violation(
                    red_line="R2", rule="failure-hidden", action="note", evidence=evidence, file=found.file.path, line=found.line
                )
        elif isinstance(node, ast.Call) and found.module.callee(node) in _ENDS:
            yield Violation(
                red_line="R2",
                rule="process-escape",
                action="review",
                evidence=f"{found.module.callee(node)} acts on the process itself",
                file=found.file.path,
                line=found.line,
                fix="let the evaluation end by itself",
            )
