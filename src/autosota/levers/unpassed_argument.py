"""A parameter that is accepted and never reaches what it is for."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autosota.levers.base import Place, PythonLever, View
from autosota.levers.source import Edits, Function, Source, keyword, spreads
from autosota.records import Level, Risk, Scope

KNOWN: dict[str, tuple[str, ...]] = {
    "TransformerEncoderLayer": ("dropout", "activation", "dim_feedforward", "norm_first"),
    "TransformerDecoderLayer": ("dropout", "activation", "dim_feedforward", "norm_first"),
    "MultiheadAttention": ("dropout", "bias"),
    "LSTM": ("dropout", "num_layers", "bidirectional", "bias"),
    "GRU": ("dropout", "num_layers", "bidirectional", "bias"),
    "SGD": ("momentum", "weight_decay", "nesterov"),
    "Adam": ("weight_decay", "betas", "eps", "amsgrad"),
    "AdamW": ("weight_decay", "betas", "eps", "amsgrad"),
    "LogisticRegression": ("C", "penalty", "max_iter", "class_weight", "tol", "solver"),
    "MLPClassifier": (
        "alpha",
        "learning_rate_init",
        "max_iter",
        "hidden_layer_sizes",
        "batch_size",
        "early_stopping",
        "momentum",
    ),
    "MLPRegressor": ("alpha", "learning_rate_init", "max_iter", "hidden_layer_sizes", "batch_size", "early_stopping", "momentum"),
    "RandomForestClassifier": ("n_estimators", "max_depth", "min_samples_leaf", "max_features", "class_weight", "criterion"),
    "RandomForestRegressor": ("n_estimators", "max_depth", "min_samples_leaf", "max_features", "criterion"),
    "GradientBoostingClassifier": ("n_estimators", "max_depth", "min_samples_leaf", "learning_rate", "subsample", "max_features"),
    "GradientBoostingRegressor": ("n_estimators", "max_depth", "min_samples_leaf", "learning_rate", "subsample", "max_features"),
    "HistGradientBoostingClassifier": ("max_iter", "max_depth", "min_samples_leaf", "learning_rate", "l2_regularization"),
    "HistGradientBoostingRegressor": ("max_iter", "max_depth", "min_samples_leaf", "learning_rate", "l2_regularization"),
    "SVC": ("C", "kernel", "gamma", "class_weight"),
    "SVR": ("C", "kernel", "gamma", "epsilon"),
    "Ridge": ("alpha",),
    "Lasso": ("alpha", "max_iter"),
    "KMeans": ("n_init", "max_iter", "tol", "init"),
}
"""Keyword arguments of well-known library callables that change what is learned."""
NEVER = frozenset(
    {"seed", "random_state", "device", "verbose", "name", "path", "dtype", "kwargs", "args", "self", "cls", "debug", "out"}
)


class UnpassedArgument(PythonLever):
    """A function takes `dropout`, never reads it, and calls something that has a `dropout` of its own without passing it."""

    name = "unpassed_argument"
    title = "Pass on a parameter that is accepted but never used"
    level: Level = "CODE"
    scope: Scope = "micro"
    risk: Risk = "low"
    priority = 0.98
    rationale = (
        "The code accepts this parameter and silently drops it, so the method runs without a part its authors describe; "
        "passing it on is what every caller already assumes."
    )

    def places(self, source: Source, view: View) -> Iterator[Place]:
        accepted = view.once("signatures", lambda: signatures(view))
        for node in source.walk():
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield from self._in_function(source, node, accepted)

    def _in_function(self, source: Source, function: Function, accepted: dict[str, dict[str, int]]) -> Iterator[Place]:
        if _abstract(function):
            return
        read = _reads(source, function)
        for parameter in [*function.args.args, *function.args.kwonlyargs]:
            name = parameter.arg
            if name in read or name.startswith("_") or name in NEVER:
                continue
            calls = [call for call in source.calls(function) if self._lacks(source, call, name, accepted)]
            if not calls:
                continue
            edits = Edits(source)
            for call in calls:
                edits.pass_keyword(call, name, name)
            callees = ", ".join(dict.fromkeys(callee(call) for call in calls))
            yield Place(calls[0].lineno, f"{name} of {source.scope(function)} to {callees}", edits)

    def _lacks(self, source: Source, call: ast.Call, name: str, accepted: dict[str, dict[str, int]]) -> bool:
        """Does the callee take `name` with a default, while this call leaves it out?"""
        if spreads(call) or keyword(call, name) is not None:
            return False
        name_called = callee(call)
        library = source.name(call.func).startswith(("torch.", "sklearn.")) or source.name(call.func).startswith("nn.")
        if library:
            return name in KNOWN.get(name_called, ()) and len(call.args) <= 2
        positions = accepted.get(name_called, {}) if isinstance(call.func, ast.Name) else {}
        return name in positions and len(call.args) <= positions[name]


def callee(call: ast.Call) -> str:
    """Last part of the called name."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else call.func.id if isinstance(call.func, ast.Name) else ""


def _abstract(function: Function) -> bool:
    """Is the body only a docstring, `pass`, `...` or a raise?"""
    return all(isinstance(each, ast.Pass | ast.Raise) or (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))
               for each in function.body)  # fmt: skip


def _reads(source: Source, function: Function) -> frozenset[str]:
    """Names the body reads. `locals()` and the like read everything; a parameter kept on `self` counts only if that is read."""
    found: set[str] = set()
    kept: dict[str, str] = {}
    for statement in function.body:
        for node in ast.walk(statement):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("locals", "vars", "eval", "exec")
            ):
                return frozenset(each.arg for each in [*function.args.args, *function.args.kwonlyargs])
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and len(node.targets) == 1:
                target = node.targets[0]
                if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == "self":
                    kept[node.value.id] = target.attr
                    continue
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Store):
                parent = source.parents.get(node)
                if not (isinstance(parent, ast.Assign) and parent.value is node and node.id in kept):
                    found.add(node.id)
    for name, attribute in kept.items():
        if name not in found and _attribute_read(source, attribute):
            found.add(name)
    return frozenset(found)


def _attribute_read(source: Source, attribute: str) -> bool:
    """Is the attribute read, or could it be (by name as text, or from another file)?"""
    loads = (node for node in source.walk() if isinstance(node, ast.Attribute) and node.attr == attribute)
    if any(not isinstance(node.ctx, ast.Store) for node in loads):
        return True
    return any(
        word in source.text
        for word in ("__dict__", "getattr(self", "vars(self", "save_hyperparameters", f'"{attribute}"', f"'{attribute}'")
    )


def signatures(view: View) -> dict[str, dict[str, int]]:
    """Function or class name → parameter with a default → how many arguments come before it; names defined twice are left out."""
    found: dict[str, dict[str, int]] = {}
    twice: set[str] = set()
    for source in view.everything:
        for node in source.module.body:
            function: ast.AST | None = node
            if isinstance(node, ast.ClassDef):
                function = next(
                    (each for each in node.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"), None
                )
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            name = node.name if isinstance(node, ast.ClassDef) else function.name
            if name in found:
                twice.add(name)
            arguments, bound = function.args, 1 if isinstance(node, ast.ClassDef) else 0
            positional = [*arguments.posonlyargs, *arguments.args]
            required = len(positional) - len(arguments.defaults)
            found[name] = {each.arg: place - bound for place, each in enumerate(positional) if place >= required}
            pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
            found[name] |= {each.arg: len(positional) for each, default in pairs if default is not None}
    return {name: parameters for name, parameters in found.items() if name not in twice}


LEVER = UnpassedArgument()
