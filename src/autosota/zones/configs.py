"""Keys of configuration files, options and constants that belong to the metric, the split or the data."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping

from autosota import syntax

SUFFIXES = {".yaml", ".yml", ".toml", ".json", ".ini", ".cfg"}
_NAMES = re.compile(
    r"^((random_?)?seeds?|random_state|test_(size|fraction|ratio|frac|split|share|path|file|data|csv)|(val|train)_(path|file|data|csv)|"
    r"n?_?splits?|split_\w+|\w+_split|folds?|n_folds|k_folds?|num_folds|stratify|data(set)?(_?(path|dir|root|folder|file|name|set|url))?|"
    r"(eval\w*_)?metrics?|metric_\w+|eval_metrics?|label_(path|file|column)|target_column|test_start|test_end|n_test|num_test|holdout\w*)$",
    re.IGNORECASE,
)


def named_for_protocol(name: str) -> bool:
    """Does a key's own name say seed, split, data or metric?"""
    return _NAMES.match(name.lstrip("-").replace("-", "_")) is not None


def is_data(path: str, data: bytes) -> bool:
    """A JSON file that holds records or numbers rather than settings."""
    if not path.lower().endswith(".json"):
        return False
    if len(data) > 200_000:
        return True
    try:
        loaded = json.loads(syntax.text(data) or "null")
    except (ValueError, RecursionError):
        return False
    if isinstance(loaded, list):
        return len(loaded) > 20 or any(isinstance(item, dict) for item in loaded)
    return isinstance(loaded, dict) and any(isinstance(item, list) and len(item) > 50 for item in loaded.values())


def protected_keys(keys: Mapping[str, object], used: set[str]) -> list[str]:
    """Keys that the protocol fixes: by their own name, or because protected code uses them."""
    found = []
    for key in keys:
        parts = key.split(".")
        if (
            named_for_protocol(parts[-1])
            or any(named_for_protocol(part) and part.lower() in ("data", "dataset", "split") for part in parts[:-1])
            or used & {parts[-1], key}
        ):
            found.append(key)
    return found


def tunable(call: ast.Call) -> bool:
    """Does a call declare a command-line option with a numeric default that is not the protocol's?"""
    if syntax.dotted(call.func).rsplit(".", 1)[-1] not in ("add_argument", "option"):
        return False
    names = [item.value for item in call.args if isinstance(item, ast.Constant) and isinstance(item.value, str)]
    default = next((keyword.value for keyword in call.keywords if keyword.arg == "default"), None)
    number = isinstance(default, ast.Constant) and isinstance(default.value, (int, float)) and not isinstance(default.value, bool)
    return number and not any(named_for_protocol(name) for name in names)
