"""Which values are found, which never are, and with which range."""

from __future__ import annotations

from pathlib import Path

import pytest

from autosota import knobs
from autosota.records import Commands, Constraint, Knob, MetricSpec, Zones

OPEN = Zones(protected=())

TRAIN = b"""
import argparse
from dataclasses import dataclass, field
from typing import Literal, Optional

import click
import torch.nn as nn
import yaml
from sklearn.metrics import f1_score
from sklearn.model_selection import train_test_split
from sklearn.svm import SVC

EPOCHS = 20  # passes over the data
SEED = 42
DATA_DIR = "data/raw"
COUNTER = 0
COUNTER = COUNTER + 1
SETTINGS = {"optimizer": {"lr": 0.1, "betas": (0.9, 0.999)}, "hidden": [64, 32], "name": "base"}


@dataclass
class Config:
    width: int = 64
    activation: Literal["relu", "tanh"] = "relu"
    drop_rate: float = field(default=0.1)
    momentum: Optional[float] = 0.9
    log_every: int = 10


class Net(nn.Module):
    temperature = 2.0

    def __init__(self, width, slope=0.2):
        self.drop = nn.Dropout(0.5)
        self.second = nn.Dropout(p=0.3)


def smooth(values, sigma=1.5, verbose=False):
    return values


def passed(values, sigma=1.5):
    return values


def unused(values, sigma=1.5):
    return values


def precision_at(values, cutoff=0.5, depth=10, weight=0.3):
    return values


@click.command()
@click.option("--penalty", type=click.Choice(["l1", "l2"]), default="l2")
@click.option("--use-bias/--no-bias", is_flag=True, default=True)
def command(penalty, use_bias):
    return penalty, use_bias


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("-n", "--n-estimators", type=int, default=100, help="trees")
    parser.add_argument("--augment", action="store_true")
    parser.add_argument("--loss", choices=["hinge", "log"], default="hinge")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--test-size", type=float, default=0.3)
    parser.add_argument("--num-workers", type=int, default=4)
    parser.add_argument("--gpu", type=int, default=0)
    parser.add_argument("--forgotten-alpha", type=float, default=0.5)
    args = parser.parse_args()
    config, settings = Config(), yaml.safe_load(open("config.yaml"))
    train, test = train_test_split([], test_size=0.25, random_state=SEED)
    model = SVC(C=1.0, kernel="rbf", gamma="scale")
    print(Net(config.width), Net.temperature, config.activation, config.drop_rate, config.momentum, config.log_every)
    print(args.lr, args.n_estimators, args.augment, args.loss, args.seed, args.test_size, args.num_workers, args.gpu)
    print(smooth(model), passed(model, sigma=0.5), SETTINGS["optimizer"]["lr"], SETTINGS["optimizer"]["betas"], EPOCHS)
    print(settings["model"]["decay"], settings["model"]["use_norm"], settings["model"]["layers"], settings["seed"])
    print(settings.get("clip", 1.0), SETTINGS["hidden"], COUNTER)
    print(f1_score(train, test, average="macro"), precision_at(test))


if __name__ == "__main__":
    main()
"""
CONFIG = b"""# configuration
model:
  decay: 1e-4   # a rate
  use_norm: yes
  layers: [64, 32]
  unmentioned: 0.5
seed: 3
"""
TREE = {"train.py": TRAIN, "config.yaml": CONFIG}


def found(tree: dict[str, bytes] = TREE, zones: Zones = OPEN, **options: object) -> dict[str, Knob]:
    return {knob.id: knob for knob in knobs.find(tree, zones, **options)}  # type: ignore[arg-type]


def test_every_kind_of_place_is_found() -> None:
    assert set(found()) == {
        "train.py::argparse:--lr", "train.py::argparse:--n-estimators", "train.py::argparse:--augment",
        "train.py::argparse:--loss",
        "train.py::click:command.--penalty", "train.py::click:command.--use-bias",
        "train.py::constant:EPOCHS", "train.py::constant:Net.temperature",
        "train.py::constant:SETTINGS.optimizer.lr", "train.py::constant:SETTINGS.optimizer.betas.0",
        "train.py::constant:SETTINGS.optimizer.betas.1", "train.py::constant:SETTINGS.hidden",
        "train.py::dataclass:Config.width", "train.py::dataclass:Config.activation", "train.py::dataclass:Config.drop_rate",
        "train.py::dataclass:Config.momentum",
        "train.py::default:Net.__init__.slope", "train.py::default:smooth.sigma", "train.py::default:main.settings.get(\"clip\")",
        "train.py::keyword:Net.__init__.nn.Dropout.p", "train.py::keyword:Net.__init__.nn.Dropout.p#2",
        "train.py::keyword:main.SVC.C", "train.py::keyword:main.passed.sigma",
        "config.yaml::yaml:model.decay", "config.yaml::yaml:model.use_norm", "config.yaml::yaml:model.layers",
    }  # fmt: skip


def test_values_and_ranges_come_from_the_code() -> None:
    all_knobs = found()
    rate = all_knobs["train.py::argparse:--lr"]
    assert rate.value == 0.001 and rate.space.log and rate.space.low == pytest.approx(0.001 / 30, rel=1e-3)
    assert all_knobs["train.py::argparse:--loss"].space.choices == ("hinge", "log")
    assert all_knobs["train.py::click:command.--penalty"].space.choices == ("l1", "l2")
    assert all_knobs["train.py::dataclass:Config.activation"].space.choices == ("relu", "tanh")
    assert all_knobs["train.py::argparse:--augment"].value is False
    epochs = all_knobs["train.py::constant:EPOCHS"].space
    assert (epochs.kind, epochs.low, epochs.high) == ("int", 5, 80), "compute grows at most fourfold"
    dropout = all_knobs["train.py::keyword:Net.__init__.nn.Dropout.p"].space
    assert (dropout.low, dropout.high) == (0.0, 0.7)
    assert all_knobs["config.yaml::yaml:model.decay"].value == 1e-4, "YAML 1.1 calls it text, people a number"
    assert all_knobs["train.py::constant:SETTINGS.hidden"].space.choices == (
        "[32, 16]", "[128, 64]", "[256, 128]", "[64, 32, 32]", "[64]", "[64, 32]",
    )  # fmt: skip


def test_every_range_contains_the_present_value() -> None:
    for knob in found().values():
        if knob.space.kind == "choice":
            assert knob.value in knob.space.choices and len(knob.space.choices) > 1
        else:
            assert isinstance(knob.value, (int, float)) and knob.space.low is not None and knob.space.high is not None
            assert knob.space.low <= knob.value <= knob.space.high and knob.space.low < knob.space.high


def test_only_what_the_evaluation_reaches() -> None:
    zones = Zones(protected=("config.yaml",), reached=("train.py", "config.yaml"))
    tree = {
        **TREE,
        "other.py": b"LR = 0.1\nprint(LR)\n",
        "tests/test_train.py": b"LR = 0.1\nprint(LR)\n",
        "setup.py": b"LR = 1\nprint(LR)",
    }
    assert {knob.file for knob in found(tree, zones).values()} == {"train.py"}
    assert {knob.file for knob in found(tree).values()} == {"train.py", "config.yaml", "other.py"}


def test_protected_symbols_are_left_alone() -> None:
    symbols = ("smooth", "Config.width", "--lr", "SETTINGS.optimizer", "EPOCHS")
    zones = Zones(protected=(), symbols={"train.py": symbols, "config.yaml": ("model.decay",)})
    gone = set(found()) - set(found(zones=zones))
    assert gone == {
        "train.py::default:smooth.sigma", "train.py::dataclass:Config.width", "train.py::argparse:--lr",
        "train.py::constant:EPOCHS",
        "train.py::constant:SETTINGS.optimizer.lr", "train.py::constant:SETTINGS.optimizer.betas.0",
        "train.py::constant:SETTINGS.optimizer.betas.1", "config.yaml::yaml:model.decay",
    }  # fmt: skip


def test_what_constraints_name_is_left_alone_everywhere() -> None:
    by_key = Constraint(text="fixed by the protocol", file="config.yaml", key="model.decay")
    by_text = Constraint(text="the number of estimators: n_estimators stays 100")
    gone = set(found()) - set(found(constraints=[by_key, by_text]))
    assert gone == {"config.yaml::yaml:model.decay", "train.py::argparse:--n-estimators"}


def test_metric_parameters_and_command_line_options_are_left_alone() -> None:
    tree = {"rank.py": b"def run(k=10, alpha=0.5):\n    return k, alpha\nrun()\n"}
    recall = MetricSpec(name="recall@10", direction="max")
    assert set(found(tree, metrics=[recall])) == {"rank.py::default:run.alpha"}
    assert set(found(tree)) == {"rank.py::default:run.alpha", "rank.py::default:run.k"}
    stated = Commands(evaluate="python train.py --lr 0.1 --loss=log")
    assert set(found()) - set(found(commands=stated)) == {"train.py::argparse:--lr", "train.py::argparse:--loss"}


def test_a_value_that_is_stated_again_is_offered_once() -> None:
    code = b"""
import argparse, yaml
def fit(lr=0.1, decay=0.01):
    return lr, decay
class Model:
    def __init__(self, width=3.5):
        self.width = width
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
args = parser.parse_args()
fit(args.lr)
config = yaml.safe_load(open("c.yaml"))
Model(**config["model"])
config.get("decay_rate", 0.5)
"""
    tree = {"run.py": code, "c.yaml": b"model:\n  width: 2.5\ndecay_rate: 0.4\n"}
    assert set(found(tree)) == {
        "run.py::default:fit.decay", "run.py::argparse:--lr", "c.yaml::yaml:model.width", "c.yaml::yaml:decay_rate",
    }  # fmt: skip


def test_ids_survive_edits_elsewhere() -> None:
    edited = TRAIN.replace(b"EPOCHS = 20", b"'''A remark.'''\nWARMUP_STEPS = 7\nEPOCHS = 20")
    edited = edited.replace(b"def smooth", b"def other(): ...\n\n\ndef smooth")
    assert set(found()) <= set(found({**TREE, "train.py": edited}))


SKLEARN = {
    "sklearn/__init__.py": "",
    "sklearn/svm/__init__.py": "from ._classes import SVC",
    "sklearn/svm/_base.py": """
class BaseLibSVM:
    _parameter_constraints: dict = {
        "kernel": [StrOptions({"linear", "rbf", "precomputed"}), callable],
        "gamma": [StrOptions({"scale", "auto"}), Interval(Real, 0.0, None, closed="left")],
        "C": [Interval(Real, 0.0, None, closed="right")],
        "nu": [Interval(Real, 0.0, 1.0, closed="right")],
        "shrinking": ["boolean"],
        "degree": [Interval(Integral, 0, None, closed="left")],
        "random_state": ["random_state"],
    }
    for unused in ["nu"]:
        _parameter_constraints.pop(unused)
""",
    "sklearn/svm/_classes.py": """
from ._base import BaseLibSVM
class SVC(BaseLibSVM):
    _parameter_constraints: dict = {**BaseLibSVM._parameter_constraints, "tol": [Interval(Real, 0.0, 0.002, closed="both")]}
    _parameter_constraints.pop("degree")
    def __init__(self, *, C=1.0, kernel="rbf", gamma="scale", shrinking=True, tol=1e-3, random_state=None): ...
raise RuntimeError("never imported")
""",
}


@pytest.fixture
def site_packages(tmp_path: Path) -> Path:
    for name, text in SKLEARN.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_declared_constraints_of_scikit_learn_are_read_from_source(site_packages: Path) -> None:
    call = b"s.SVC(gamma='scale', shrinking=True, tol=1e-3, random_state=0)"
    code = b"import sklearn.svm as s\ndef evaluate():\n    return " + call + b"\nevaluate()\n"
    all_knobs = found({"m.py": code}, site_packages=site_packages)
    assert set(all_knobs) == {f"m.py::keyword:evaluate.s.SVC.{name}" for name in ("gamma", "shrinking", "tol", "C", "kernel")}
    kernel = all_knobs["m.py::keyword:evaluate.s.SVC.kernel"]
    assert kernel.space.choices == ("linear", "rbf") and kernel.reason.startswith("not stated in the code")
    assert all_knobs["m.py::keyword:evaluate.s.SVC.gamma"].space.choices == ("auto", "scale", 0.01, 0.03, 0.1, 0.3, 1.0)
    assert all_knobs["m.py::keyword:evaluate.s.SVC.tol"].space.high == 0.002


def test_the_most_important_come_first() -> None:
    order = [knob.name for knob in knobs.find(TREE, OPEN)]
    assert set(order[:2]) == {"lr"} and order.index("drop_rate") < order.index("augment")


HOSTILE = {
    "syntax.py": b"def broken(:\n", "null.py": b"x = 1\0",
    "latin.py": b"# -*- coding: latin-1 -*-\nLR = 0.1  # \xe9\nprint(LR)\n",
    "wrong.py": b"# -*- coding: klingon -*-\nLR = 0.1\n", "bytes.py": b"LR = 0.1 # \xff\xfe\nprint(LR)\n",
    "deep.py": b"x = " + b"(" * 5000 + b")" * 5000,
    "sum.py": b"x = " + b"+".join([b"1"] * 20000), "nested.py": b"".join(b" " * i + b"if x:\n" for i in range(120)),
    "big.py": b"x = 1\n" * 300_000, "huge.py": b"LR = 10 ** 10 ** 10 ** 10\nprint(LR)\n", "nan.py": b"LR = 1e999\nprint(LR)\n",
    "bomb.yaml": b"a: &a [x, x]\n"
    + b"".join(b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9)) for i in range(20)),
    "loop.yaml": b"a: &a\n  b: *a\n", "tag.yaml": b"lr: !!python/object/apply:os.system ['false']\n",
    "two.yaml": b"lr: 0.1\n---\nlr: 0.2\n",
    "deep.yaml": b"[" * 5000, "deep.json": b"[" * 100_000, "tabs.yaml": b"a:\n\t- b\n", "bad.json": b'{"lr": }',
    "bad.toml": b"a = = 1",
    "deep.toml": b"a = " + b"[" * 3000 + b"]" * 3000, "odd.ini": b"lr = 0.1\n[x\n= 3\n", "key.yaml": b"? [a, b]\n: 0.1\n",
    "empty.yaml": b"",
    "marked.json": b'\xef\xbb\xbf{"lr": 0.1}', "surrogate.json": b'{"lr": "\\ud800"}', "\udcff.py": b"LR = 0.1\nprint(LR)\n",
}  # fmt: skip


def test_hostile_files_are_passed_over() -> None:
    all_knobs = found({**HOSTILE, **TREE})
    assert set(found()) <= set(all_knobs)
    assert {
        "latin.py::constant:LR",
        "bytes.py::constant:LR",
        "two.yaml::yaml:lr",
        "two.yaml::yaml:lr#2",
        "marked.json::json:lr",
    } <= set(all_knobs)
    for name in HOSTILE:
        assert isinstance(found({name: HOSTILE[name]}), dict)
