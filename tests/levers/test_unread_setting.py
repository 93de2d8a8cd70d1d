"""A declared setting reaches the callee that has a place for it."""

import pytest

DATACLASS = """
from dataclasses import dataclass


@dataclass
class Config:
    rate: float = 0.1
    momentum: float = 0.9


class SGD:
    def __init__(self, parameters, rate, momentum=0.0):
        self.momentum = momentum


config = Config()
print(vars(SGD([], config.rate)))
"""


def test_field_of_a_settings_class(bench, run):
    text = bench("unread_setting").change(DATACLASS)
    assert "SGD([], config.rate, momentum=config.momentum)" in text
    assert (run(DATACLASS).strip(), run(text).strip()) == ("{'momentum': 0.0}", "{'momentum': 0.9}")


def test_option_of_a_parser(bench):
    text = bench("unread_setting").change(
        """
        import argparse
        import torch

        parser = argparse.ArgumentParser()
        parser.add_argument("--lr", type=float, default=0.1)
        parser.add_argument("--weight-decay", type=float, default=1e-4)
        args = parser.parse_args()
        optimizer = torch.optim.SGD(parameters, lr=args.lr)
        """
    )
    assert "torch.optim.SGD(parameters, lr=args.lr, weight_decay=args.weight_decay)" in text


def test_key_of_a_configuration_file(bench):
    files = {
        "config.yaml": "model:\n  hidden: 8\n  dropout: 0.2\n",
        "train.py": """
            def build(hidden, dropout=0.0):
                return hidden, dropout

            def main(config):
                return build(config["model"]["hidden"])
            """,
    }
    assert 'build(config["model"]["hidden"], dropout=config["model"]["dropout"])' in bench("unread_setting").change(files)


@pytest.mark.parametrize(
    "change",
    [
        ("print(vars", "print(config.momentum, vars"),
        ("SGD([], config.rate)", "SGD([], config.rate, 0.5)"),
        ("SGD([], config.rate)", "SGD([], config.rate, **extra)"),
        ("SGD([], config.rate)", "SGD([], 0.1)"),
        ("    momentum: float = 0.9\n", ""),
    ],
)
def test_leaves_alone(bench, change):
    assert change[0] in DATACLASS
    assert not bench("unread_setting").sites(DATACLASS.replace(*change))
