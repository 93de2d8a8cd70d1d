"""May a repair's source changes become part of the baseline? (paper 3.6 with the red lines of 3.9)

What a model repairs before there is a baseline is measured as the authors' own work ever after, so nothing is left to a review:
a change is refused where the code that scores, loads, splits or reports would differ. Zones come from analysis alone, of the tree
as it is and as it would be; every static red line looks at the rest. Missing imports may be added anywhere.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Mapping, Sequence

from autosota import syntax, zones
from autosota.agents.supervisor import Supervisor
from autosota.records import Case, Change, Commands, Criterion, Environment, MetricSpec, Patch, Rubric, Zones
from autosota.redlines.difference import Overlay
from autosota.skills import Context
from autosota.syntax import Module
from autosota.zones import calls

_BUILTINS = frozenset(dir(builtins))


def screen(changes: Sequence[Change], context: Context, refused: list[str]) -> tuple[Change, ...]:
    """The changes that leave the evaluation's meaning as it is; why others were left out goes into `refused`. Runs nothing."""
    if not changes:
        return ()
    tree = context.tree
    plain = [change for change in changes if only_imports(change, tree, changes)]
    rest = [change for change in changes if change not in plain]
    if not rest:
        return tuple(changes)
    after = _zones(Overlay(tree, {change.path: change for change in changes}), context.commands)
    against = {change.path: why for change in rest if (why := _becomes(change, tree, after) or _shadows(change, context))}
    left = [change for change in rest if change.path not in against]
    for path, why in _crossed(left, tree, context):
        blamed = [path] if any(change.path == path for change in left) else [change.path for change in left]
        against.update(dict.fromkeys(blamed, why))
    refused.extend(f"change of {path}: {why}" for path, why in sorted(against.items()))
    return tuple(change for change in changes if change.path not in against)


def _zones(tree: Mapping[str, bytes], commands: Commands) -> Zones:
    return zones.find(tree, commands, read=None, protected=(), free=())


def _becomes(change: Change, tree: Mapping[str, bytes], after: Zones) -> str:
    """Why a file may not be written: it would hold evaluation code, or data, that cannot be compared with what was there."""
    before = tree.get(change.path)
    if before is not None and (syntax.parse(change.path, before) is not None or not syntax.is_python(change.path, before)):
        return ""
    if after.is_protected(change.path) and change.content:
        return "it would hold the evaluation, or its data, in words that are not the authors'"
    names = after.symbols.get(change.path, ())
    return f"it would hold {', '.join(names[:3])}, which the evaluation stands on" if names else ""


def _shadows(change: Change, context: Context) -> str:
    """Why a new Python file may not be: it would be imported in place of the standard library or of a package."""
    if change.path in context.tree or not syntax.is_python(change.path, change.content):
        return ""
    place = context.site_packages()
    installed = {item.name.partition(".")[0] for item in place.iterdir()} if place is not None else set()
    known = {*sys.stdlib_module_names, *installed, *(package.name for package in context.recipe.packages)} - {"tests", "__init__"}
    names = [part for part in change.path.removesuffix(".py").split("/") if part in known]
    return f"it would be imported in place of the package {names[0]}" if names else ""


def _crossed(changes: Sequence[Change], tree: Mapping[str, bytes], context: Context) -> list[tuple[str, str]]:
    """(path, reason) of every static red line that the changes cross or may cross; path "" where it is all of them."""
    if not changes:
        return []
    before = _zones(tree, context.commands)
    environment = Environment(commit="before", recipe=context.recipe, commands=context.commands, zones=before)
    unknown = MetricSpec(name="metric", direction="max", primary=True)
    rubric = Rubric(metrics=(unknown,), tree=Criterion(id="1", requirements="it runs", weight=1.0))
    case = Case(rubric=rubric, environment=environment, baseline=None, analysis=None, tree=tree)
    patch = Patch(parent="before", commit="after", base="before", changes=tuple(changes))
    found = [item for item in Supervisor().screen_patch(patch, case).violations if item.action != "note"]
    return [(item.file or "", f"{item.red_line or 'rule'} {item.rule}: {item.evidence[:160]}") for item in found]


# ── imports ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def only_imports(change: Change, tree: Mapping[str, bytes], changes: Sequence[Change]) -> bool:
    """Does a change of a Python file add imports, or follow names to where a library moved them, and nothing else?"""
    old, new = syntax.module(change.path, tree.get(change.path)), syntax.module(change.path, change.content)
    if old is None or new is None or change.mode != "100644" or _rest(old) != _rest(new):
        return False
    before, after = _bound(old), _bound(new)
    used = {node.id for node in ast.walk(new.tree) if isinstance(node, ast.Name)}
    if any(name.split(".")[0] in used for name in before.keys() - after.keys()):
        return False
    written = {_root(other.path) for other in changes if other.path != change.path}
    own = {"", *map(_root, tree)}
    return all(_follows(name, place, before.get(name), new, own, written) for name, place in after.items())


def _follows(name: str, place: str, was: str | None, module: Module, own: set[str], written: set[str]) -> bool:
    """Is the name bound to what it was bound to, or to the thing of the same name elsewhere?"""
    if place == was:
        return True
    root = place.split(".")[0].split(":")[0]
    if root in written or (written and not root) or (root == "__future__" and name != "annotations"):
        return False
    if was is None:
        defined = {*module.functions, *module.classes, *module.constants} | _BUILTINS
        return name not in defined and (":" not in place or place.rsplit(":", 1)[1] == name)
    before = was.split(".")[0].split(":")[0]
    if calls.is_metric(was.replace(":", ".")) or calls.is_metric(place.replace(":", ".")) or root in own or before in own:
        return root == before and root not in own and _last(was) == _last(place)
    return _last(was) == _last(place)


def _root(path: str) -> str:
    return path.split("/")[0].removesuffix(".py")


def _last(place: str) -> str:
    return place.replace(":", ".").rsplit(".", 1)[-1]


def _rest(module: Module) -> list[str]:
    """The file without its own import statements."""
    return [syntax.dump(node) for node in module.tree.body if not isinstance(node, (ast.Import, ast.ImportFrom))]


def _bound(module: Module) -> dict[str, str]:
    """Name → `module` or `module:name` for the file's own import statements."""
    found: dict[str, str] = {}
    for node in module.tree.body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                found[alias.asname or alias.name] = alias.name
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                place = f"{'.' * node.level}{node.module or ''}:{alias.name}"
                found[place if alias.name == "*" else alias.asname or alias.name] = place
    return found
