"""Values are written as edits of exactly their own characters."""

from __future__ import annotations

import ast
import configparser
import json
import tomllib
from pathlib import Path

import pytest
import yaml

from autosota import knobs
from autosota.errors import UsageError
from autosota.records import Knob, Scalar, Zones
from tests.knobs.test_finding import CONFIG, SKLEARN, TRAIN, TREE

OPEN = Zones(protected=())
SETTINGS_TOML = b"""# settings
title = "base"   # a name
[model]
lr = 1e-3        # the rate
layers = [64, 32]  # widths
use_norm = true
[[stage]]
gamma = 0.5
"""
SETTINGS_JSON = b'{\n\t"model": {"lr": 1e-3, "use_norm": false, "layers": [64, 32]},\n\t"name": "caf\xc3\xa9", "gamma": 2\n}\n'
SETTINGS_INI = b"; remark\n[model]\nlr = 0.001  ; the rate\nuse_norm: Yes\n\n[other]\nlr=0.5\n"
YAML = b"""# remark
base: &base
  lr: 1.0e-3    # the rate
  use_norm: Off
model:
  <<: *base
  layers: [64, 32]
  kernel: 'rbf'
copy: *base
stages:
  - gamma: 0.5
"""
FILES = {"s.toml": SETTINGS_TOML, "s.json": SETTINGS_JSON, "s.ini": SETTINGS_INI, "s.yaml": YAML}


def written(tree: dict[str, bytes], setting: dict[str, Scalar]) -> dict[str, bytes]:
    return {change.path: change.content or b"" for change in knobs.write(tree, setting)}


def other(knob: Knob) -> Scalar:
    """Some value that is not the present one."""
    if knob.space.kind == "choice":
        return next(choice for choice in reversed(knob.space.choices) if choice != knob.value)
    end = knob.space.high if knob.value != knob.space.high else knob.space.low
    return int(end or 0) if knob.space.kind == "int" else end


def test_every_knob_can_be_written_and_is_found_again_with_its_new_value(tmp_path: Path) -> None:
    for name, text in SKLEARN.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    tree = {**TREE, **FILES}
    found = knobs.find(tree, OPEN, site_packages=tmp_path)
    wanted = {knob.id: other(knob) for knob in found}
    changed = {**tree, **written(tree, wanted)}
    again = {knob.id: knob.value for knob in knobs.find(changed, OPEN, site_packages=tmp_path)}
    assert {name: again[name] for name in wanted} == wanted
    back = {**changed, **written(changed, {knob.id: knob.value for knob in found})}
    assert {knob.id: knob.value for knob in knobs.find(back, OPEN, site_packages=tmp_path)} == {k.id: k.value for k in found}


def test_one_value_changes_one_line_and_nothing_else() -> None:
    tree = {**TREE, **FILES}
    for knob in knobs.find(tree, OPEN):
        (change,) = knobs.write(tree, {knob.id: other(knob)})
        before, after = tree[change.path].splitlines(), (change.content or b"").splitlines()
        assert len(before) == len(after)
        different = [number for number, pair in enumerate(zip(before, after, strict=True), 1) if pair[0] != pair[1]]
        assert different == [knob.line], knob.id


def test_formatting_and_comments_stay() -> None:
    text = written(TREE, {"train.py::constant:EPOCHS": 40, "train.py::argparse:--augment": True})["train.py"].decode()
    assert "EPOCHS = 40  # passes over the data" in text
    assert 'parser.add_argument("--augment", action="store_true", default=True)' in text
    assert b"decay: 0.0002   # a rate" in written(TREE, {"config.yaml::yaml:model.decay": 0.0002})["config.yaml"]
    assert b"use_norm: no\n" in written(TREE, {"config.yaml::yaml:model.use_norm": False})["config.yaml"]
    toml = written(FILES, {"s.toml::toml:model.lr": 0.02, "s.toml::toml:model.layers": "[8, 8]"})["s.toml"]
    assert toml == SETTINGS_TOML.replace(b"1e-3  ", b"0.02  ").replace(b"[64, 32]", b"[8, 8]")
    ini = written(FILES, {"s.ini::ini:model.lr": 0.02, "s.ini::ini:model.use_norm": False})["s.ini"]
    assert ini == SETTINGS_INI.replace(b"0.001", b"0.02").replace(b"Yes", b"No")


def test_what_was_written_is_what_the_languages_read() -> None:
    setting: dict[str, Scalar] = {
        "s.toml::toml:model.lr": 1e-5, "s.toml::toml:stage.0.gamma": 0.25,
        "s.json::json:model.lr": 1e-5, "s.json::json:model.use_norm": True,
        "s.ini::ini:model.lr": 1e-5, "s.yaml::yaml:base.lr": 1e-5, "s.yaml::yaml:base.use_norm": True,
        "s.yaml::yaml:stages.0.gamma": 3.0,
        "s.yaml::yaml:model.kernel": "poly",
    }  # fmt: skip
    files = written(FILES, setting)
    assert tomllib.loads(files["s.toml"].decode())["model"]["lr"] == 1e-5
    assert tomllib.loads(files["s.toml"].decode())["stage"] == [{"gamma": 0.25}]
    assert json.loads(files["s.json"])["model"] == {"lr": 1e-5, "use_norm": True, "layers": [64, 32]}
    document = yaml.safe_load(files["s.yaml"])
    assert document["model"] == {"lr": 1e-5, "use_norm": True, "layers": [64, 32], "kernel": "poly"}
    assert document["stages"] == [{"gamma": 3.0}] and isinstance(document["stages"][0]["gamma"], float)
    parser = configparser.ConfigParser(inline_comment_prefixes=";")
    parser.read_string(files["s.ini"].decode())
    assert parser.getfloat("model", "lr") == 1e-5 and parser.getfloat("other", "lr") == 0.5


def test_the_same_value_has_the_same_bytes() -> None:
    name = "train.py::argparse:--lr"
    assert written(TREE, {name: 0.1 + 0.2}) == written(TREE, {name: 0.3}) == written(TREE, {name: 0.30000000001})
    assert knobs.write(TREE, {"train.py::constant:EPOCHS": 20}) == ()


@pytest.mark.parametrize(
    "call", ["SVC()", "SVC( )", "SVC(\n    C=(1.0),  # (a\n)", "SVC(C=1.0,)", "SVC(C=f(1), )", "SVC(C=1.0 # )\n)"]
)
def test_an_unstated_argument_is_added_to_the_call(call: str) -> None:
    tree = {"m.py": f"from sklearn.svm import SVC\nf = float\nmodel = {call}  # end\n".encode()}
    added = {"m.py::keyword:SVC.gamma": 0.5, "m.py::keyword:SVC.kernel": "poly"}
    content = written(tree, added)["m.py"]
    statement = ast.parse(content).body[-1]
    assert isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call)
    given = {keyword.arg: ast.unparse(keyword.value) for keyword in statement.value.keywords}
    assert given.pop("gamma") == "0.5" and given.pop("kernel") == "'poly'" and b"# end" in content
    changed = written({"m.py": content}, {"m.py::keyword:SVC.gamma": 0.25})["m.py"]
    assert changed == content.replace(b"0.5", b"0.25"), "once stated it is changed where it stands"


def test_encodings_line_ends_and_marks_stay() -> None:
    latin = "# -*- coding: latin-1 -*-\nNAME = 'é'; LR = 0.1\nprint(LR)\n".encode("latin-1")
    assert written({"a.py": latin}, {"a.py::constant:LR": 0.2})["a.py"] == latin.replace(b"0.1", b"0.2")
    windows = b"\xef\xbb\xbf# \xc3\xa9\r\nNAME = '\xc3\xa9'; LR = 0.1\r\nprint(LR)\r\n"
    assert written({"a.py": windows}, {"a.py::constant:LR": 0.2})["a.py"] == windows.replace(b"0.1", b"0.2")
    marked = "\ufeffé: x\nlr: 0.1 # é\n".encode()
    assert written({"a.yaml": marked}, {"a.yaml::yaml:lr": 0.2})["a.yaml"] == marked.replace(b"0.1", b"0.2")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("train.py::argparse:--nothing", 1), ("missing.py::constant:LR", 1), ("README", 1),
        ("train.py::constant:EPOCHS", float("nan")),
        ("s.toml::toml:model.lr", None), ("s.ini::ini:model.lr", "a\nb = 1"), ("s.yaml::yaml:base.lr", "a: b"),
        ("train.py::constant:SETTINGS.hidden", "__import__('os')"), ("s.yaml::yaml:model.layers", "[1, x]"),
        ("s.yaml::yaml:model.lr", 1.0),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_a_usage_error(name: str, value: Scalar) -> None:
    with pytest.raises(UsageError) as caught:
        knobs.write({**TREE, **FILES}, {name: value})
    assert caught.value.hint


@pytest.mark.parametrize(
    ("file", "key", "value"),
    [
        ("s.yaml", "base.lr", 1e-3), ("s.yaml", "model.lr", 1e-3), ("s.yaml", "copy.use_norm", False),
        ("s.yaml", "stages.0.gamma", 0.5),
        ("s.yaml", "model.kernel", "rbf"), ("s.toml", "model.lr", 1e-3), ("s.toml", "title", "base"),
        ("s.json", "model.lr", 1e-3),
        ("s.json", "name", "café"), ("s.ini", "other.lr", 0.5), ("train.py", "EPOCHS", 20), ("train.py", "SEED", 42),
        ("train.py", "--lr", 1e-3), ("train.py", "test_size", 0.3), ("train.py", "n-estimators", 100),
        ("train.py", "augment", False),
        ("train.py", "Net.temperature", 2.0), ("train.py", "Config.width", 64), ("train.py", "SETTINGS.optimizer.lr", 0.1),
        ("train.py", "smooth.sigma", 1.5), ("train.py", "DATA_DIR", "data/raw"), ("config.yaml", "seed", 3),
    ],
)  # fmt: skip
def test_effective_values_by_key(file: str, key: str, value: Scalar) -> None:
    tree = {**TREE, **FILES}
    assert knobs.value(tree, file, key) == value


def test_a_seed_is_set_by_key() -> None:
    change = knobs.write_key(TREE, "config.yaml", "seed", 7)
    assert change.path == "config.yaml" and change.content == CONFIG.replace(b"seed: 3", b"seed: 7")
    change = knobs.write_key(TREE, "train.py", "SEED", 7)
    assert change.content == TRAIN.replace(b"SEED = 42", b"SEED = 7")
    merged = knobs.write_key(FILES, "s.yaml", "model.lr", 0.5)
    assert yaml.safe_load(merged.content or b"")["model"]["lr"] == 0.5


@pytest.mark.parametrize(
    ("file", "key"), [("s.yaml", "nothing"), ("none.yaml", "lr"), ("train.py", "nothing"), ("s.toml", "model")]
)
def test_an_absent_key_is_a_key_error(file: str, key: str) -> None:
    with pytest.raises(KeyError):
        knobs.value({**TREE, **FILES}, file, key)
