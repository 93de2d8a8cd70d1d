"""Flags over the task file over defaults; mistakes name the nearest key; a resumed run may only grow."""

from __future__ import annotations

from pathlib import Path

import pytest

from autosota import config, taskfile
from autosota.errors import UsageError
from tests import kit

FILE = """
[evaluation]
command = "python a.py"
timeout = "2m"
protected = ["a.py"]
[[metric]]
name = "Top-1 accuracy"
direction = "max"
primary = true
reported = 0.9
[[metric]]
name = "seconds"
direction = "min"
margin = 0.5
[budget]
trials = 7
memory = "1GB"
"""


def _repository(folder: Path, text: str = FILE) -> str:
    return str(kit.write(folder / "repository", {"autosota.toml": text}))


def test_flags_win_over_the_file_and_sources_are_told(tmp_path: Path) -> None:
    resolved = config.resolve({"repository": _repository(tmp_path), "trials": 9, "evaluate": "python b.py"})
    settings = resolved.config
    assert (settings.trials, settings.timeout, settings.memory, settings.seeds) == (9, 120.0, 10**9, 5)
    assert resolved.task_file.evaluation.command == "python b.py" and resolved.task_file.evaluation.protected == ("a.py",)
    assert [resolved.sources[name] for name in ("trials", "timeout", "seeds")] == ["flag", "task file", "default"]


def test_metric_flags_keep_what_the_file_knows_of_them(tmp_path: Path) -> None:
    resolved = config.resolve({"repository": _repository(tmp_path), "metrics": ("seconds:min", "top1_accuracy")})
    specs = resolved.task_file.metric_specs()
    assert [(spec.name, spec.direction, spec.primary, spec.reported) for spec in specs] == [
        ("seconds", "min", True, None), ("Top-1 accuracy", "max", False, 0.9)]  # fmt: skip
    with pytest.raises(UsageError, match="max or min"):
        config.resolve({"metrics": ("accuracy:higher",)})


@pytest.mark.parametrize(
    ("text", "words", "hint"),
    [
        ("[evaluation]\ncomand = 'x'", "comand", "command"),
        ("[[metric]]\nname = 'a'\ndirektion = 'max'", "direktion", "direction"),
        ("[budgett]\ntrials = 1", "budgett", "budget"),
        ("[evaluation", "TOML", "quotes"),
        ("[evaluation]\ncommand = 'a'\npredict = 'b'\nscore = 'c'", "both", "one form"),
        ("[evaluation]\npredict = 'b'\nscore = 'c'", "outputs", "outputs"),
        ("[evaluation]\ncommand = 'a'\nwithhold = 0.3", "withhold needs `predict`", "split"),
        ("[evaluation]\ncommand = 'a'\n[evaluation.schema]\nfinite = true", "schema needs `predict`", "split"),
        ("[evaluation]\npredict = 'b'\nscore = 'c'\noutputs = ['o.csv']\nlabels = ['l.csv']\nwithhold = 0.3\nsealed = 's'",
         "both `sealed`", "keep one"),
        ("[evaluation]\npredict = 'b'\nscore = 'c'\noutputs = ['o']\nlabels = ['data/../../key']", "'../key'", "relative"),
        ("[evaluation]\ntimeout = 'soon'", "soon", "10m"),
        ("[budget]\nmemory = 'lots'", "lots", "8GB"),
        ("[[metric]]\nname='a'\nprimary=true\n[[metric]]\nname='b'\nprimary=true", "primary", "one"),
        ("[[metric]]\nname='Top-1'\n[[metric]]\nname='top_1'", "same name", "punctuation"),
        ("[budget]\ntrials = -1", "trials", "reference"),
    ],
)  # fmt: skip
def test_a_wrong_task_file_says_what_where_and_what_to_do(text: str, words: str, hint: str, tmp_path: Path) -> None:
    path = kit.write(tmp_path, {"autosota.toml": text}) / "autosota.toml"
    with pytest.raises(UsageError) as raised:
        taskfile.load(path)
    assert words in raised.value.message and str(path) in raised.value.message and hint in raised.value.hint


def test_only_budgets_may_grow(tmp_path: Path) -> None:
    old = config.resolve({"repository": _repository(tmp_path)}).config
    table = old.model_dump(mode="json")
    assert config.differences(table, old) == []
    assert config.differences(table, old.model_copy(update={"trials": 50, "workers": 4, "from_here": True})) == []
    assert config.differences(table, old.model_copy(update={"trials": 3})) == ["trials: was 7, now 3"]
    assert config.differences(table, old.model_copy(update={"trials": 3}), started=False) == []
    assert "seeds" in config.differences(table, old.model_copy(update={"seeds": 9}))[0]


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("1h30m", 5400), ("2 h", 7200), ("0.5m", 30), (45, 45)])
def test_durations(text: str | float, seconds: float) -> None:
    assert taskfile.seconds(text) == seconds
