"""Where reported numbers come from: backwards from what is printed or written to metric computations, truth, splits, loaders."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from autosota import syntax
from autosota.syntax import Module
from autosota.zones import calls, configs
from autosota.zones.expressions import children, combines, meets, number, sides
from autosota.zones.scopes import Repository, Scope, learns, model_class, random_draws, updates

_DEPTH = 40
_EPOCH = re.compile(r"epoch|iter|step|progress|debug", re.IGNORECASE)

Trail = list[tuple[Scope, ast.Call | None]]
"""Calls that data came through; None for a whole function."""


class Flow:
    """The protected roles of a repository's scopes, and the single calls that carry them."""

    def __init__(self, repository: Repository, modules: Sequence[Module], entries: Sequence[str], metrics: Sequence[str]) -> None:
        self.repository = repository
        self.modules = modules
        self.entries = set(entries)
        self._metrics = [re.sub(r"[\W_]+", "", name.lower()) for name in metrics]
        self.scopes = [scope for module in modules for scope in repository.scopes(module)]
        reporting = {module.path for module in repository.closure(entries)}
        self._reporting = [scope for scope in self.scopes if scope.module.path in reporting]
        self._models = {f"{name}." for module in modules for name, node in module.classes.items() if model_class(node)}
        models = [node for module in modules for node in module.classes.values() if model_class(node)]
        methods = {
            item.name for node in models for item in node.body if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef))
        }
        self.own = frozenset(methods - calls.ARRAY | calls.LEARN | calls.PREDICT)
        """Methods by which models learn and predict, the repository's own names included."""
        self._called: dict[str, list[tuple[Scope, ast.Call]]] = {}
        for scope in self.scopes:
            for call in scope.calls:
                self._called.setdefault(syntax.dotted(call.func).rsplit(".", 1)[-1], []).append((scope, call))
        self.metric: set[tuple[str, str]] = set()
        """Scopes that compute or report the metric."""
        self.data: set[tuple[str, str]] = set()
        """Scopes that load, make or split the data behind the metric."""
        self.pieces: dict[tuple[str, str], dict[int, ast.Call]] = {}
        """Protected calls by scope."""
        self._seen: set[tuple[tuple[str, str], str]] = set()
        self.truths: list[tuple[Scope, ast.expr]] = []
        """What metric computations are given, truth and predictions."""
        self.reports: list[tuple[Scope, ast.expr]] = []
        """What is printed or written as results."""
        self._algorithms: dict[tuple[str, str], bool] = {}
        self.scored: list[tuple[Scope, ast.expr]] = []
        """Those of `truths` that are made of loaded, generated and split data alone."""
        self._reporters: set[tuple[str, str]] = set()
        self.reports = self._sinks()
        for scope, expression in self.reports:
            self._value(scope, expression, 0)
            self._reporters.add(scope.key)
        self._calls_of_reporters()
        self._loaders()
        done = 0
        while done < len(self.truths):
            scope, expression = self.truths[done]
            done += 1
            found: Trail = []
            if self._pure(scope, expression, found, set(), 0) == "data":
                self.scored.append((scope, expression))
                self._record(found)

    # ── reports ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _sinks(self) -> list[tuple[Scope, ast.expr]]:
        """Reported expressions, the best class of evidence only: named metrics, then files, then prints outside loops."""
        ranked: list[tuple[int, Scope, ast.Call]] = []
        for scope in self._reporting:
            if self.in_model(scope):
                continue
            looped = {id(node) for loop in scope.nodes if isinstance(loop, (ast.For, ast.While)) for node in ast.walk(loop)}
            for call in scope.calls:
                name = scope.module.callee(call)
                if calls.is_sink(call, name):
                    ranked.append((self._rank(scope, call, name, id(call) in looped), scope, call))
        called = self._called_from_entries()
        ranked = [item for item in ranked if item[1].key in called] or ranked
        best = min((rank for rank, _, _ in ranked), default=9)
        keep = {0: (0, 1, 2), 1: (1, 2), 2: (1, 2)}.get(best, (best,))
        return [
            (scope, item)
            for rank, scope, call in ranked
            if rank in keep
            for item in (*call.args, *(keyword.value for keyword in call.keywords if keyword.arg != "file"))
        ]

    def _called_from_entries(self) -> set[tuple[str, str]]:
        """Scopes that the entry scripts' own code runs or hands on, as far as calls can be followed."""
        waiting = [scope for scope in self._reporting if scope.module.path in self.entries or not scope.name]
        found = {scope.key for scope in waiting}
        while waiting:
            scope = waiting.pop()
            for node in scope.nodes:
                name = syntax.dotted(node) if isinstance(node, (ast.Name, ast.Attribute)) else ""
                target = self.repository.named(name, scope) if name else None
                module = scope.module
                targets = [target] if isinstance(target, Scope) else []
                if isinstance(target, ast.ClassDef):
                    module = next((item for item in self.modules if target in item.classes.values()), module)
                    targets = [item for item in self.repository.scopes(module) if item.name.startswith(f"{target.name}.")]
                for item in targets:
                    if item.key not in found:
                        found.add(item.key)
                        waiting.append(item)
        return found

    def _calls_of_reporters(self) -> None:
        """Who calls a function that reports a metric decides over what: the call is protected, with what it is given."""
        for scope in self.scopes:
            for call in scope.calls:
                target = self.repository.target(call, scope)
                reporting = isinstance(target, Scope) and target.key in self._reporters & self.metric
                if reporting and scope is not target and call.args:
                    self._piece(scope, call, self.metric)
                    self.truths.extend((scope, item) for item in call.args)

    def _rank(self, scope: Scope, call: ast.Call, name: str, looped: bool) -> int:
        text = re.sub(r"[\W_]+", "", ast.unparse(call).lower())
        words = " ".join(str(node.value) for node in ast.walk(call) if isinstance(node, ast.Constant))
        entry = scope.module.path in self.entries
        if any(metric in text for metric in self._metrics) and not (looped and _EPOCH.search(words)):
            return 0
        if calls.to_file(name) or (not looped and self._shows_metric(scope, call)):
            return 1
        if not entry:
            return 5
        return 4 if looped and (learns(scope) or _EPOCH.search(words)) else 3 if looped else 2

    def _shows_metric(self, scope: Scope, call: ast.Call) -> bool:
        """Is the result of a metric computation in it, as such or by a name given in the same scope?"""
        nodes = [node for item in call.args for node in ast.walk(item)]
        names = [syntax.dotted(node) for node in nodes if isinstance(node, ast.Name)]
        nodes += [node for name in names for value, _ in scope.assigned.get(name, ()) for node in ast.walk(value)]
        return any(calls.is_metric(scope.module.callee(node)) for node in nodes if isinstance(node, ast.Call))

    def in_model(self, scope: Scope) -> bool:
        """Is it a method of a class that learns or predicts?"""
        return scope.name.startswith(tuple(self._models)) if self._models else False

    # ── values ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _value(self, scope: Scope, expression: ast.expr, depth: int) -> None:
        """Follow a reported value backwards; stop where predictions and truth meet."""
        mark = (scope.key, ast.dump(expression))
        if depth > _DEPTH or mark in self._seen:
            return
        self._seen.add(mark)
        if isinstance(expression, ast.Call):
            self._call(scope, expression, depth)
        elif combines(expression):
            self.metric.add(scope.key)
            for side in sides(expression):
                self.truths.append((scope, side))
        elif isinstance(expression, (ast.Name, ast.Attribute)):
            self._name(scope, expression, depth)
        elif not isinstance(expression, (ast.Constant, ast.Lambda)):
            for child in children(expression):
                self._value(scope, child, depth + 1)

    def _name(self, scope: Scope, expression: ast.Name | ast.Attribute, depth: int) -> None:
        name = syntax.dotted(expression)
        values = scope.assigned.get(name)
        if values is None and isinstance(expression, ast.Attribute):
            self._value(scope, expression.value, depth + 1)
            return
        for value, _ in values or ():
            self._value(scope, value, depth + 1)
        if not values and name in scope.parameters:
            for caller, argument in self._arguments(scope, name):
                self._value(caller, argument, depth + 1)

    def _call(self, scope: Scope, call: ast.Call, depth: int) -> None:
        name = scope.module.callee(call)
        if calls.is_metric(name):
            self._piece(scope, call, self.metric)
            truth = calls.truth(call, name)
            if truth is not None:
                self.truths.append((scope, truth))
            return
        target = self.repository.target(call, scope)
        if isinstance(target, Scope):
            self._function(scope, call, target, depth)
            return
        if isinstance(target, ast.ClassDef) or calls.is_load(call, name) or calls.is_split(name):
            return
        if (isinstance(call.func, ast.Attribute) and call.func.attr in self.own) or calls.constructs(call, name, scope.module):
            return
        if isinstance(call.func, ast.Attribute):
            self._value(scope, call.func.value, depth + 1)
        for item in (*call.args, *(keyword.value for keyword in call.keywords)):
            self._value(scope, item, depth + 1)

    def _function(self, scope: Scope, call: ast.Call, target: Scope, depth: int) -> None:
        """A function of the repository on the way of a reported value."""
        if self._only_predicts(target) or (self.in_model(target) and target.name.rsplit(".", 1)[-1] in self.own):
            return
        if not self.algorithm(target):
            self.metric.add(target.key)
            self._piece(scope, call, None)
            for inner in target.calls:
                helper = self.repository.target(inner, target)
                if isinstance(helper, Scope) and not any(
                    role(helper) for role in (self._predicts, self.in_model, self.algorithm)
                ):
                    self._value(target, inner, depth + 1)
        for item in (*call.args, *(keyword.value for keyword in call.keywords)):
            objective = self.repository.named(syntax.dotted(item), scope) if isinstance(item, (ast.Name, ast.Attribute)) else None
            if isinstance(objective, Scope) and self.algorithm(target) and not self.algorithm(objective):
                self.metric.add(objective.key)
            elif not self.algorithm(target):
                self.truths.append((scope, item))
        for value in target.returns:
            self._value(target, value, depth + 1)
        if not target.returns or not self.algorithm(target):
            self._inside(target, depth)

    def _inside(self, target: Scope, depth: int) -> None:
        """Truth arguments of metric computations anywhere in a metric function."""
        for inner in target.calls:
            name = target.module.callee(inner)
            if calls.is_metric(name):
                self._value(target, inner, depth + 1)
        for node in target.nodes:
            if isinstance(node, ast.expr) and combines(node):
                self.truths.extend((target, side) for side in sides(node))

    def _arguments(self, scope: Scope, parameter: str) -> Iterator[tuple[Scope, ast.expr]]:
        """What callers in the reached code pass for a parameter."""
        position = scope.parameters.index(parameter)
        if scope.parameters[:1] == ("self",):
            position -= 1
        last = scope.name.rsplit(".", 1)[-1]
        for caller, call in self._called.get(last, ()):
            if self.repository.target(call, caller) is not scope:
                continue
            for keyword in call.keywords:
                if keyword.arg == parameter:
                    yield caller, keyword.value
            if 0 <= position < len(call.args):
                yield caller, call.args[position]

    # ── data ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _loaders(self) -> None:
        """Every scope that reads data itself, model classes aside, with the splits it makes on the way."""
        for scope in self.scopes:
            if self.in_model(scope):
                continue
            for call in scope.calls:
                if calls.is_load(call, scope.module.callee(call)):
                    self._piece(scope, call, self.data)

    def _pure(self, scope: Scope, expression: ast.expr, found: Trail, seen: set[object], depth: int) -> str:
        """ "data" where an expression is made of loaded, generated or split data alone, "free" where a model has a part in it,
        "" where it says nothing. `found` collects the calls and functions it came through."""
        mark = (scope.key, id(expression))
        if depth > _DEPTH or mark in seen:
            return ""
        seen.add(mark)
        kinds: list[str] = []
        if isinstance(expression, ast.Call):
            kinds.append(self._pure_call(scope, expression, found, seen, depth))
        elif isinstance(expression, (ast.Name, ast.Attribute)):
            name = syntax.dotted(expression)
            values = scope.assigned.get(name)
            if values is None and isinstance(expression, ast.Attribute):
                return self._pure(scope, expression.value, found, seen, depth + 1)
            kinds += [self._pure_part(scope, value, index, found, seen, depth) for value, index in values or ()]
            if not values and name in scope.parameters:
                kinds += [self._pure(c, argument, found, seen, depth + 1) for c, argument in self._arguments(scope, name)]
            if not values and not scope.parameters and scope.name and name not in scope.module.imports:
                outer = self.repository.scope(scope.module, "", scope.module.tree)
                kinds += [self._pure(outer, value, found, seen, depth + 1) for value, _ in outer.assigned.get(name, ())]
        else:
            kinds += [self._pure(scope, child, found, seen, depth + 1) for child in children(expression)]
        return "free" if "free" in kinds else "data" if "data" in kinds else ""

    def made_of_data(self, scope: Scope, expression: ast.expr) -> bool:
        """Is an expression made of loaded, generated or split data alone, with no model in it?"""
        return self._pure(scope, expression, [], set(), 0) == "data"

    def _pure_part(
        self, scope: Scope, value: ast.expr, index: int | None, found: Trail, seen: set[object], depth: int
    ) -> str:  # fmt: skip
        """One output of an assignment; of a split only the array it is taken from."""
        source = calls.split_source(value, index, scope.module) if isinstance(value, ast.Call) else None
        if source is None:
            return self._pure(scope, value, found, seen, depth + 1)
        assert isinstance(value, ast.Call)
        found.append((scope, value))
        kind = self._pure(scope, source, found, seen, depth + 1)
        return "free" if kind == "free" else "data"

    def _pure_call(self, scope: Scope, call: ast.Call, found: Trail, seen: set[object], depth: int) -> str:
        name = scope.module.callee(call)
        attribute = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
        if calls.is_load(call, name) or calls.is_split(name):
            found.append((scope, call))
            for item in arguments:
                if calls.is_split(name):
                    self._pure(scope, item, found, seen, depth + 1)
            return "data"
        target = self.repository.target(call, scope)
        if isinstance(target, Scope):
            inputs = [self._pure(scope, item, found, seen, depth + 1) for item in arguments]
            kept = self.in_model(target) or learns(target) or self._predicts(target) or (updates(target) and "data" in inputs)
            if kept or "free" in inputs:
                return "free"
            outputs = [self._pure(target, value, found, seen, depth + 1) for value in target.returns]
            if "free" in outputs:
                return "free"
            made = random_draws(target) and "data" not in inputs
            if "data" in outputs or made or "data" in inputs:
                found.append((target, None))
                found.append((scope, call))
                return "data"
            return ""
        if isinstance(target, ast.ClassDef):
            return (
                "free"
                if model_class(target)
                else max((self._pure(scope, i, found, seen, depth + 1) for i in arguments), default="")
            )
        if attribute in self.own or calls.constructs(call, name, scope.module):
            return "free"
        if isinstance(call.func, ast.Name) and (name in scope.assigned or name in scope.parameters):
            return "free"
        kinds = [self._pure(scope, item, found, seen, depth + 1) for item in arguments]
        if isinstance(call.func, ast.Attribute):
            kinds.append(self._pure(scope, call.func.value, found, seen, depth + 1))
            if attribute == "split" and calls.is_split(self._made_by(scope, call.func.value)):
                found.append((scope, call))
                kinds.append("data")
        return "free" if "free" in kinds else "data" if "data" in kinds else ""

    def _made_by(self, scope: Scope, expression: ast.expr) -> str:
        for value, _ in scope.assigned.get(syntax.dotted(expression), ()):
            if isinstance(value, ast.Call):
                return scope.module.callee(value)
        return scope.module.callee(expression) if isinstance(expression, ast.Call) else ""

    def _record(self, found: Sequence[tuple[Scope, ast.Call | None]]) -> None:
        for scope, call in found:
            if call is None:
                self.data.add(scope.key)
            else:
                self._piece(scope, call, self.data)

    # ── roles ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _piece(self, scope: Scope, call: ast.Call, role: set[tuple[str, str]] | None) -> None:
        if role is not None:
            role.add(scope.key)
        self.pieces.setdefault(scope.key, {})[id(call)] = call

    def _predicts(self, scope: Scope) -> bool:
        """Does it make predictions and hand them on, rather than score them?"""
        inside = [call for call in scope.calls if isinstance(call.func, ast.Attribute) and call.func.attr in calls.PREDICT]
        scored = any(calls.is_metric(scope.module.callee(call)) for call in scope.calls)
        return bool(inside) and not scored and scope.key not in self.metric

    def _only_predicts(self, scope: Scope) -> bool:
        """Does it make predictions, and nothing in it meets a truth: no arithmetic on two sides, no scoring function?"""
        if not self._predicts(scope) or any(map(meets, scope.nodes)):
            return False
        targets = [target for call in scope.calls if isinstance(target := self.repository.target(call, scope), Scope)]
        return all(self.in_model(target) or not any(map(meets, target.nodes)) for target in targets)

    def algorithm(self, scope: Scope) -> bool:
        """Does it hold what a candidate may improve: estimators made, hyperparameters given, a state updated, random search?"""
        if scope.key not in self._algorithms:
            self._algorithms[scope.key] = False
            self._algorithms[scope.key] = self._algorithm(scope)
        return self._algorithms[scope.key]

    def _algorithm(self, scope: Scope) -> bool:
        if updates(scope):
            return True
        for call in scope.calls:
            target = self.repository.target(call, scope)
            if target is None and calls.constructs(call, scope.module.callee(call), scope.module):
                return True
            if configs.tunable(call):
                return True
            tuned = any(number(item, scope) for item in (*call.args, *(keyword.value for keyword in call.keywords)))
            if isinstance(target, ast.ClassDef) and model_class(target) and tuned:
                return True
            if isinstance(target, Scope) and tuned and (learns(target) or updates(target)) and scope is not target:
                return True
        return False

    def trains(self, scope: Scope) -> bool:
        """Does it train a model, itself or through a function it calls?"""
        targets = (self.repository.target(call, scope) for call in scope.calls)
        return learns(scope) or any(isinstance(target, Scope) and learns(target) for target in targets)
