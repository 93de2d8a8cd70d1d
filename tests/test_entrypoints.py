"""Which command measures a repository, and where its seed goes, decided from its text alone."""

from __future__ import annotations

import pytest

from autosota import entrypoints

RUN = "import sys\nprint('accuracy: 1')\n"
SEEDED = "import argparse\np = argparse.ArgumentParser()\np.add_argument('--seed', type=int, default=0)\np.parse_args()\n"


def tree(**files: str) -> dict[str, bytes]:
    return {name.replace("__", "/").replace("_DOT_", "."): text.encode() for name, text in files.items()}


def files(content: dict[str, str]) -> dict[str, bytes]:
    return {path: text.encode() for path, text in content.items()}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"evaluate.py": RUN, "train.py": RUN}, "python evaluate.py"),
        ({"main.py": RUN, "utils.py": "X = 1\n"}, "python main.py"),
        ({"README.md": "## Evaluation\n\n```bash\n$ CUDA_VISIBLE_DEVICES=0 python3 run.py --mode test\n```\n", "run.py": RUN}, "python run.py --mode test"),  # noqa: E501
        ({"README.md": "Run `python -m pkg.evaluate --split test`.\n", "pkg/evaluate.py": RUN}, "python -m pkg.evaluate --split test"),  # noqa: E501
        ({"README.md": "```\npip install -r r.txt\npython download.py\npython eval.py \\\n  --k 3\n```\n", "eval.py": RUN, "download.py": RUN}, "python eval.py    --k 3"),  # noqa: E501
        ({"README.md": "```\npython eval.py --data <path>\n```\n", "eval.py": RUN}, "python eval.py"),
        ({"Makefile": "evaluate:\n\tpython scripts/e.py\n", "scripts/e.py": RUN}, "make evaluate"),
        ({"scripts/evaluate.sh": "cd src\npython main.py\n", "src/main.py": "def test_x():\n    pass\n"}, "bash scripts/evaluate.sh"),  # noqa: E501
        ({"README.md": "```\npython train.py\npython evaluate.py\n```\n", "train.py": RUN, "evaluate.py": "import pickle\npickle.load(open('m', 'rb'))\n"}, "python train.py && python evaluate.py"),  # noqa: E501
        ({"README.md": "```\npython predict.py --seed 0 --out p.csv\npython score.py --predictions p.csv\n```\n", "predict.py": RUN, "score.py": RUN},  # noqa: E501
         "python predict.py --seed {seed} --out p.csv && python score.py --predictions p.csv"),
        ({"test_model.py": "def test_a():\n    assert True\n"}, None),
        ({"evaluate.py": "import argparse\np = argparse.ArgumentParser()\np.add_argument('--ckpt', required=True)\np.parse_args()\n"}, None),  # noqa: E501
        ({"evaluate.py": "def broken(:\n"}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_command(content: dict[str, str], expected: str | None) -> None:
    command, notes = entrypoints.choose(files(content))
    assert (command and " ".join(command.split())) == (expected and " ".join(expected.split()))
    assert bool(notes) == bool(command)


def test_equal_claims_are_the_users_choice() -> None:
    command, notes = entrypoints.choose(files({"run_a.py": RUN, "run_b.py": RUN}))
    assert command is None and "python run_a.py; python run_b.py" in notes[0]


@pytest.mark.parametrize(
    ("command", "content", "expected"),
    [
        ("python a.py", {"a.py": RUN}, ("a.py",)),
        ("cd src && python -u a.py --x 1", {"src/a.py": RUN}, ("src/a.py",)),
        ("FOO=1 python -m pkg.tool", {"pkg/tool.py": RUN}, ("pkg/tool.py",)),
        ("python -m pkg", {"src/pkg/__main__.py": RUN}, ("src/pkg/__main__.py",)),
        ("bash run.sh", {"run.sh": "set -e\npython a.py\npython b.py | tee log\n", "a.py": RUN, "b.py": RUN}, ("a.py", "b.py")),
        (
            "make all",
            {"Makefile": "all: data\n\tpython a.py\ndata:\n\tpython b.py\n", "a.py": RUN, "b.py": RUN},
            ("a.py", "b.py"),
        ),
        ("python 'a b.py'; echo \"unclosed", {"a b.py": RUN}, ()),
        ("bash loop.sh", {"loop.sh": "bash loop.sh\n"}, ()),
    ],
)
def test_scripts(command: str, content: dict[str, str], expected: tuple[str, ...]) -> None:
    found = entrypoints.scripts(command, files(content))
    assert set(expected) <= set(found) and len(found) <= max(len(expected), 1)


@pytest.mark.parametrize(
    ("command", "content", "expected"),
    [
        ("python a.py --seed {seed}", {"a.py": SEEDED}, ("placeholder", None, None)),
        ("python a.py", {"a.py": SEEDED}, ("option", "--seed", None)),
        ("python a.py", {"a.py": "import click\n@click.option('--random-seed', default=1)\ndef main(): pass\n"}, ("option", "--random-seed", None)),  # noqa: E501
        ("python a.py", {"a.py": "SEED = 3\n"}, ("key", None, "SEED")),
        ("python a.py", {"a.py": RUN, "c.yaml": "training:\n  seed: 3\n"}, ("key", None, "training.seed")),
        ("python a.py", {"a.py": RUN}, ("environment", None, None)),
        ("python a.py --seed 3", {"a.py": SEEDED}, ("option", "--seed", None)),
    ],
)  # fmt: skip
def test_seed_place(command: str, content: dict[str, str], expected: tuple[str | None, ...]) -> None:
    place, reason = entrypoints.seed_place(command, files(content), read=["c.yaml"])
    assert (place.kind, place.option, place.key) == expected
    assert reason


def test_a_seed_written_out_becomes_the_place() -> None:
    assert entrypoints.seeded("python a.py --seed 0 --x 1") == "python a.py --seed {seed} --x 1"
    assert entrypoints.seeded("python a.py --random_state=42") == "python a.py --random_state={seed}"
    assert entrypoints.seeded("python a.py --seeds 3 --x 0") == "python a.py --seeds 3 --x 0"


@pytest.mark.parametrize(
    ("readme", "expected"),
    [
        ("```python train.py```\n", "cd package && python train.py"),
        ("```\npython3 train.py --epochs 3\n```\n", "cd package && python train.py --epochs 3"),
    ],
)
def test_documented_script_in_a_folder(readme: str, expected: str) -> None:
    content = files({"README.md": readme, "package/train.py": RUN, "setup.py": "x = 1\n"})
    assert entrypoints.choose(content)[0] == expected


def test_script_in_two_folders_is_not_guessed() -> None:
    content = files({"README.md": "```\npython train.py\n```\n", "a/train.py": RUN, "b/train.py": RUN})
    assert entrypoints.choose(content)[0] is None


def test_documented_command_that_may_not_evaluate_is_shown_only() -> None:
    content = files({"README.md": "```\npython makemore.py -i names.txt\n```\n", "makemore.py": RUN})
    line, notes = entrypoints.choose(content)
    assert line is None
    assert "python makemore.py -i names.txt" in notes[0]
