"""Training loops written by hand: the loop over epochs, the updates in it, the learning rate they use.

Recognized are gradient updates of arrays (`w -= lr * g` and its variants) and loops that call a torch optimizer's `step`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from autosota.levers.base import View
from autosota.levers.source import Function, Source, names_in

RATE = re.compile(
    r"^(base_|init_|initial_|cur_|current_|_)?(lr|learning_?rate|eta|step_?size|alpha)(_?0|_init|_w|_t)?$", re.IGNORECASE
)
_EPOCH = re.compile(r"epoch|iter|step|round|gen|sweep|pass|^(t|it|i|_)$", re.IGNORECASE)
_SCHEDULED = re.compile(
    r"sched|anneal|cooldown|initial_(?:rate|lr)|cosine|warm_?up|(?:lr|rate|eta|alpha|step)_?decay|decay_?(?:lr|rate|steps|epochs)|lr_t\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Update:
    """One gradient update of a parameter: `target = target - rate * direction`."""

    statement: ast.Assign | ast.AugAssign
    target: ast.expr
    rate: ast.expr
    step: ast.expr
    """The whole amount, rate included, that is subtracted (or added where `descent` is False)."""
    direction: ast.expr | None
    """The factor beside the rate where there is exactly one, not divided; usually the gradient."""
    descent: bool


@dataclass(frozen=True)
class OwnOptimizer:
    """An object of a class of the repository that holds a learning rate and changes arrays in place."""

    name: str
    rate: str
    """Attribute with the learning rate."""
    parameters: str
    """Attribute with the list of arrays it changes in place, "" where that cannot be told."""
    text: str
    """The class's text."""


@dataclass(frozen=True)
class Loop:
    """An outermost loop over a range that trains."""

    source: Source
    node: ast.For
    start: str
    """Text of the range's first and past-last value."""
    stop: str
    updates: tuple[Update, ...]
    """Updates in the loop itself, and in methods of the same class and functions of the same file that it calls."""
    optimizers: tuple[str, ...]
    """Texts of the torch optimizers that step in the loop, or in a function it hands them to."""

    own_optimizers: tuple[OwnOptimizer, ...] = ()
    """Objects of the repository's own optimizer classes that the loop calls."""

    @property
    def function(self) -> Function | ast.Module:
        """What the loop stands in."""
        return self.source.function(self.node)

    @cached_property
    def own(self) -> tuple[Update, ...]:
        """Updates written in the loop itself."""
        inside = set(ast.walk(self.node))
        return tuple(update for update in self.updates if update.statement in inside)

    @property
    def where(self) -> str:
        """Scope for a site's detail."""
        return self.source.scope(self.node) or "module"

    @property
    def text(self) -> str:
        """The loop's text."""
        return self.source.segment(self.node)

    @property
    def counter(self) -> str:
        """The loop variable, "" where it is not a plain name."""
        return self.node.target.id if isinstance(self.node.target, ast.Name) else ""

    def progress(self, counter: str) -> str:
        """Expression for the share of the loop that is done, 0 at the first round and below 1 at the last."""
        if self.start == "0":
            return f"{counter} / {_factor(self.stop)}"
        return f"({counter} - {_factor(self.start)}) / ({self.stop} - {_factor(self.start)})"

    def last_third(self, counter: str) -> str:
        """Condition that holds in the last third of the rounds."""
        if self.start == "0":
            return f"3 * {counter} >= 2 * {_factor(self.stop)}"
        return f"3 * ({counter} - {_factor(self.start)}) >= 2 * ({self.stop} - {_factor(self.start)})"


def _factor(text: str) -> str:
    return text if re.fullmatch(r"[\w.]+(\([^()]*\)|\[[^\[\]]*\])?", text) else f"({text})"


def rate_like(node: ast.AST) -> bool:
    """Is the expression called like a learning rate: a name, an attribute, or an item under such a key?"""
    if isinstance(node, ast.Name):
        return bool(RATE.match(node.id))
    if isinstance(node, ast.Attribute):
        return bool(RATE.match(node.attr))
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
        return bool(RATE.match(node.slice.value))
    return False


def factors(node: ast.expr) -> list[tuple[ast.expr, bool]]:
    """The factors of a product, each with whether it divides; a sign counts as no factor. What stands in brackets on the right is
    one factor, unless a learning rate is in it; so is the right side of a matrix product."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div | ast.MatMult):
        right = [(node.right, False)] if isinstance(node.op, ast.MatMult) else factors(node.right)
        if not any(rate_like(each) for each, _ in right):
            right = [(node.right, False)]
        return [*factors(node.left), *((each, divides != isinstance(node.op, ast.Div)) for each, divides in right)]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return factors(node.operand)
    return [(node, False)]


def _negated(node: ast.expr) -> bool:
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div | ast.MatMult):
        node = node.left
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)


def update_of(source: Source, statement: ast.AST) -> Update | None:
    """The gradient update a statement makes, None if it makes none."""
    if isinstance(statement, ast.AugAssign) and isinstance(statement.op, ast.Sub | ast.Add):
        whole: ast.Assign | ast.AugAssign = statement
        target: ast.expr = statement.target
        amount, minus = statement.value, isinstance(statement.op, ast.Sub)
    elif isinstance(statement, ast.Assign) and len(statement.targets) == 1 and isinstance(statement.value, ast.BinOp):
        target, value, whole = statement.targets[0], statement.value, statement
        if not isinstance(value.op, ast.Sub | ast.Add) or source.segment(value.left) != source.segment(target):
            return None
        amount, minus = value.right, isinstance(value.op, ast.Sub)
    else:
        return None
    if not isinstance(target, ast.Name | ast.Attribute | ast.Subscript):
        return None
    parts = factors(amount)
    rates = [node for node, divides in parts if not divides and rate_like(node)]
    if len(rates) != 1 or len(parts) < 2:
        return None
    rest = [(node, divides) for node, divides in parts if node is not rates[0]]
    direction = rest[0][0] if len(rest) == 1 and not rest[0][1] else None
    return Update(whole, target, rates[0], amount, direction, minus != _negated(amount))


def updates_in(source: Source, root: ast.AST) -> list[Update]:
    """Every gradient update below."""
    return [update for node in source.walk(root) if (update := update_of(source, node))]


def loops(source: Source, view: View) -> Iterator[Loop]:
    """Outermost training loops of a file."""
    for node in source.walk():
        if not isinstance(node, ast.For) or node.orelse:
            continue
        bounds = _range(source, node.iter)
        target = node.target.id if isinstance(node.target, ast.Name) else ""
        if bounds is None or not _EPOCH.search(target) or _trains_around(source, node):
            continue
        updates = tuple(_reached(source, node))
        optimizers = tuple(dict.fromkeys(_optimizers(source, node)))
        own = () if updates or optimizers else tuple(_own_optimizers(source, node, view))
        if updates or optimizers or own:
            yield Loop(source, node, *bounds, updates, optimizers, own)


def scheduled(loop: Loop) -> bool:
    """Does the learning rate change already, in the loop or by a scheduler in the file?"""
    if _SCHEDULED.search(loop.source.text):
        return True
    stored = (
        each for each in ast.walk(loop.node) if isinstance(each, ast.Name | ast.Attribute) and isinstance(each.ctx, ast.Store)
    )
    return any(rate_like(each) for each in stored)


def scheduled_text(text: str) -> bool:
    """Do words in the text say that the learning rate changes already?"""
    return bool(_SCHEDULED.search(text))


def has_activation(text: str) -> bool:
    """Does the text look like that of a neural network?"""
    return bool(
        re.search(r"relu|sigmoid|tanh|gelu|np\.maximum\(\s*0|np\.maximum\([^()]*,\s*0(\.0*)?\)|softplus", text, re.IGNORECASE)
    )


def _range(source: Source, node: ast.expr) -> tuple[str, str] | None:
    """(first, past last) of range(...), also inside tqdm(...), or of trange(...)."""
    if not isinstance(node, ast.Call):
        return None
    name = source.name(node.func).rsplit(".", 1)[-1]
    if name == "tqdm" and node.args:
        return _range(source, node.args[0])
    if name not in ("range", "trange") or (name == "range" and node.keywords) or not 1 <= len(node.args) <= 2:
        return None
    texts = [source.segment(each) for each in node.args]
    return ("0", texts[0]) if len(texts) == 1 else (texts[0], texts[1])


def _trains_around(source: Source, node: ast.For) -> bool:
    """Is there a loop around it, in the same function, that could be the loop over epochs?"""
    for each in source.ancestors(node):
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            return False
        if (
            isinstance(each, ast.For)
            and _range(source, each.iter)
            and isinstance(each.target, ast.Name)
            and _EPOCH.search(each.target.id)
        ):
            return True
    return False


def _reached(source: Source, loop: ast.For) -> Iterator[Update]:
    """Updates in the loop, and in the methods and functions of this file that it calls, two calls deep."""
    yield from updates_in(source, loop)
    methods: dict[str, Function] = {}
    around = source.class_of(loop)
    for statement in [*source.module.body, *(around.body if around else [])]:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            prefix = "self." if around and statement in around.body else ""
            methods[prefix + statement.name] = statement
    seen: set[str] = set()
    frontier: list[ast.AST] = [loop]
    for _ in range(2):
        called = {source.name(call.func) for root in frontier for call in source.calls(root)} & methods.keys() - seen
        seen |= called
        frontier = [methods[name] for name in sorted(called) if loop not in ast.walk(methods[name])]
        for function in frontier:
            yield from updates_in(source, function)


def _optimizers(source: Source, loop: ast.For) -> Iterator[str]:
    """Torch optimizers: what `.step()` is called on in a loop that goes backward, and arguments called like one."""
    if not any(meaning.split(".")[0] == "torch" for meaning in source.imports.values()):
        return
    backward = "backward" in names_in(loop)
    for call in source.calls(loop):
        if isinstance(call.func, ast.Attribute) and call.func.attr == "step" and backward:
            text = source.segment(call.func.value)
            if "opt" in text.lower():
                yield text
        for argument in [*call.args, *(each.value for each in call.keywords)]:
            if isinstance(argument, ast.Name | ast.Attribute) and re.fullmatch(r"(\w+\.)*optim(izer)?", source.segment(argument)):
                yield source.segment(argument)


def _own_optimizers(source: Source, loop: ast.For, view: View) -> Iterator[OwnOptimizer]:
    """Names the loop calls `step` or `update` on, assigned once from a class of the repository that has a learning rate."""
    called = {
        call.func.value.id
        for call in source.calls(loop)
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in ("step", "update", "apply")
        and isinstance(call.func.value, ast.Name)
    }
    for node in source.walk(source.function(loop)):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.value, ast.Call):
            target, callee = node.targets[0], source.name(node.value.func).rsplit(".", 1)[-1]
            if isinstance(target, ast.Name) and target.id in called:
                called.discard(target.id)
                for owner in view.everything:
                    for each in owner.module.body:
                        if isinstance(each, ast.ClassDef) and each.name == callee:
                            yield from _optimizer_class(owner, each, target.id)


def _optimizer_class(source: Source, node: ast.ClassDef, name: str) -> Iterator[OwnOptimizer]:
    rates = {
        each.attr
        for each in ast.walk(node)
        if isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Load) and RATE.match(each.attr)
    }
    if len(rates) == 1:
        yield OwnOptimizer(name, next(iter(rates)), _in_place(source, node), source.segment(node))


def _in_place(source: Source, node: ast.ClassDef) -> str:
    """The attribute whose items a method changes in place, looping over it."""
    for each in source.walk(node):
        if not isinstance(each, ast.For):
            continue
        changed = {
            inner.target.id for inner in ast.walk(each) if isinstance(inner, ast.AugAssign) and isinstance(inner.target, ast.Name)
        }
        values: list[ast.expr] = [each.iter]
        targets: list[ast.expr] = [each.target]
        if isinstance(each.iter, ast.Call) and source.name(each.iter.func) == "zip" and isinstance(each.target, ast.Tuple):
            values, targets = each.iter.args, each.target.elts
        for value, target in zip(values, targets, strict=False):
            if not (isinstance(target, ast.Name) and target.id in changed and isinstance(value, ast.Attribute)):
                continue
            if not re.search(r"velocit|moment|cache|state", value.attr):
                return value.attr
    return ""


def names_used(nodes: list[ast.expr]) -> frozenset[str]:
    """Plain names in the expressions."""
    return frozenset(each.id for node in nodes for each in ast.walk(node) if isinstance(each, ast.Name))
