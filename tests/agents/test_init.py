"""Repositories that do not run are made to run; what they measure is then the same number as the author's."""

from __future__ import annotations

from pathlib import Path

import pytest

from autosota import config, sandboxes, taskfile
from autosota.errors import BudgetError, StageError, UsageError
from autosota.evaluation import Evaluation
from autosota.ports import Executor, Limits
from autosota.records import Criterion, MetricSpec, Rubric
from tests.broken import files
from tests.broken.bench import Bench
from tests.environments.wheelhouse import only, wheel


@pytest.fixture(scope="module")
def executor(tmp_path_factory: pytest.TempPathFactory) -> Executor:
    return sandboxes.open_executor(None, tmp_path_factory.mktemp("scratch"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def make(tmp_path: Path, executor: Executor, cache: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    only(monkeypatch, tmp_path / "wheels")

    def made(files: dict[str, str]) -> Bench:
        return Bench(tmp_path, files, executor, cache)

    return made


ACCURACY = MetricSpec(name="accuracy", direction="max", primary=True, reported=0.75)


def test_a_remedy_that_did_not_help_is_undone_and_not_tried_again(make, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    wheel(tmp_path / "wheels", "PyYAML", "6.0", {"other.py": ""})
    bench = make(
        files(
            "--- requirements.txt\n--- evaluate.py\nimport importlib\nyaml = importlib.import_module('yaml')\n"
            "print('accuracy:', yaml.load('0.75'))\n"
        )
    )
    with pytest.raises(StageError) as caught:
        bench.prepare(evaluate="python evaluate.py")
    assert "tried missing-package" in caught.value.message
    signature = "ModuleNotFoundError: No module named 'yaml' @ repository"
    assert bench.memory.outcomes(signature)["missing-package"] == {"worked": 0, "failed": 1, "skipped": 0}
    with pytest.raises(StageError) as caught:
        bench.prepare(evaluate="python evaluate.py")
    assert "tried" not in caught.value.message


def test_the_evaluation_itself_is_never_repaired_beyond_the_failing_name(make) -> None:  # type: ignore[no-untyped-def]
    text = "import time\ntotal = 0.0  # keep\nstart = time.clock()\n\n\nprint( 'accuracy:',  0.75 )\n"
    bench = make({"evaluate.py": text})
    environment = bench.prepare(evaluate="python evaluate.py")
    repaired = bench.workspace.tree(environment.commit)["evaluate.py"].decode()
    assert repaired == text.replace("time.clock", "time.perf_counter")
    assert (bench.repository / "evaluate.py").read_text() == text


def test_seed_option_and_reads_are_found(make) -> None:  # type: ignore[no-untyped-def]
    code = (
        "import argparse, random\np = argparse.ArgumentParser()\np.add_argument('--seed', type=int, default=0)\n"
        "random.seed(p.parse_args().seed)\nopen('data.txt').read()\nprint('accuracy:', random.random())\n"
    )
    bench = make({"evaluate.py": code, "data.txt": "x", "unused.py": "", "README.md": "# x\n\n```\npython evaluate.py\n```\n"})
    environment = bench.prepare()
    assert environment.commands.evaluate == "python evaluate.py"
    assert (environment.commands.seed.kind, environment.commands.seed.option) == ("option", "--seed")
    assert {"evaluate.py", "data.txt"} <= set(environment.zones.reached)
    assert "unused.py" not in environment.zones.reached
    baseline = bench.baseline(environment, MetricSpec(name="accuracy", direction="max", primary=True))
    assert baseline.reproduced == "unknown"
    assert not baseline.deterministic and baseline.noise["accuracy"] > 0
    assert [measurement.seed for measurement in baseline.measurements] == [1, 2, 3]


def test_a_seed_in_a_configuration_file_is_set_in_every_run(make) -> None:  # type: ignore[no-untyped-def]
    code = "import json, random\nrandom.seed(json.load(open('config.json'))['seed'])\nprint('accuracy:', random.random())\n"
    bench = make({"evaluate.py": code, "config.json": '{"seed": 1, "rate": 0.5}'})
    environment = bench.prepare(evaluate="python evaluate.py")
    place = environment.commands.seed
    assert (place.kind, place.file, place.key) == ("key", "config.json", "seed")
    assert not bench.baseline(environment, ACCURACY).deterministic


def test_a_seed_that_changes_nothing_is_said(make) -> None:  # type: ignore[no-untyped-def]
    bench = make({"evaluate.py": "print('accuracy: 0.75')\n"})
    baseline = bench.baseline(bench.prepare(), ACCURACY)
    assert baseline.deterministic and baseline.noise == {"accuracy": 0.0}
    assert any("seed changes nothing" in note for note in baseline.notes)


def test_where_the_time_ends_the_baseline_stands_on_the_runs_made(make) -> None:  # type: ignore[no-untyped-def]
    bench = make({"evaluate.py": "import os\nprint('accuracy:', 0.5 + int(os.environ['AUTOSOTA_SEED']) / 100)\n"})
    environment, asked = bench.prepare(), iter([False, False, True])
    short = bench.baseline(environment, ACCURACY, expired=lambda: next(asked))
    assert short.mean["accuracy"] == pytest.approx(0.515) and "the time ended after 2 of 3 runs" in short.notes
    with pytest.raises(BudgetError, match="after 0 of 3"):
        bench.baseline(environment, ACCURACY, expired=lambda: True)


def test_a_number_far_from_the_papers_is_not_reproduced(make) -> None:  # type: ignore[no-untyped-def]
    bench = make({"evaluate.py": "print('accuracy: 0.50')\n"})
    assert bench.baseline(bench.prepare(), ACCURACY).reproduced == "no"


def test_a_notebook_becomes_a_script(make) -> None:  # type: ignore[no-untyped-def]
    cell = '{"cell_type": "code", "source": ["%matplotlib inline\\n", "print(\'accuracy: 0.75\')"]}'
    bench = make({"analysis.ipynb": f'{{"cells": [{{"cell_type": "markdown", "source": "text"}}, {cell}], "nbformat": 4}}'})
    environment = bench.prepare()
    assert environment.commands.evaluate == "python analysis.py"
    assert environment.repairs[0].skill == "notebook-only"
    assert bench.baseline(environment, ACCURACY).mean == {"accuracy": 0.75}


def test_what_the_evaluation_prints_is_handed_on(make) -> None:  # type: ignore[no-untyped-def]
    bench = make({"evaluate.py": "print('accuracy: 0.75')\nprint('f1 = 0.5')\n"})
    environment = bench.prepare()
    names = bench.init.printed(environment, bench.evaluation)
    assert names["accuracy"] == [0.75] and names["f1"] == [0.5]


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ({"README.md": "text\n"}, "no code"),
        ({"main.jl": "println(1)\n"}, "Julia"),
        ({"lib/tools.py": "def f():\n    return 1\n"}, "neither README nor scripts"),
        ({"run_a.py": "print(1)\n", "run_b.py": "print(2)\n"}, "several commands"),
    ],
)
def test_without_a_decidable_command_the_user_is_asked(content: dict[str, str], word: str, make) -> None:  # type: ignore[no-untyped-def]
    bench = make(content)
    with pytest.raises(UsageError) as caught:
        bench.prepare()
    assert word in caught.value.message and "--eval" in caught.value.hint


def test_a_command_that_never_ends_names_the_limit(make) -> None:  # type: ignore[no-untyped-def]
    bench = make({"evaluate.py": "while True:\n    pass\n"})
    bench.evaluation = lambda environment, metrics=(): Evaluation(  # type: ignore[method-assign]
        workspace=bench.workspace, executor=bench.executor, environment=environment, metrics=metrics, limits=Limits(seconds=1),
        scratch=bench.folder / "exports", store=bench.store,
    )  # fmt: skip
    with pytest.raises(StageError) as caught:
        bench.prepare()
    assert "time limit" in caught.value.message and "timeout" in caught.value.hint


def test_secrets_are_refused_and_plain_variables_let_in(make, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("LAB_MODE", "0.75")
    code = "import os\nprint('accuracy:', os.environ['LAB_MODE'])\n"
    bench = make({"evaluate.py": code, "autosota.toml": 'env = ["LAB_MODE"]\n'})
    assert bench.baseline(bench.prepare(), ACCURACY).mean == {"accuracy": 0.75}
    (bench.repository / "autosota.toml").write_text('env = ["OPENAI_API_KEY"]\n')
    with pytest.raises(UsageError):
        bench.prepare()


def test_mounts_show_data_from_outside(make, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "big").mkdir()
    (tmp_path / "big/x.txt").write_text("0.75")
    code = "print('accuracy:', open('data/big/x.txt').read())\n"
    bench = make({"evaluate.py": code, "autosota.toml": f'[mounts]\n"data/big" = "{tmp_path / "big"}"\n'})
    assert bench.baseline(bench.prepare(), ACCURACY).mean == {"accuracy": 0.75}
    (bench.repository / "autosota.toml").write_text('[mounts]\n"data/big" = "/nowhere/at/all"\n')
    with pytest.raises(UsageError):
        bench.prepare()


def test_ignored_data_that_is_read_stays_visible(make) -> None:  # type: ignore[no-untyped-def]
    files_ = {".gitignore": "data/\nout.log\n", "data/x.txt": "0.75", "out.log": "x"}
    bench = make({**files_, "evaluate.py": "print('accuracy:', open('data/x.txt').read())\n"})
    environment = bench.prepare()
    assert environment.zones.ignored == ("data/",)
    assert bench.baseline(environment, ACCURACY).mean == {"accuracy": 0.75}


def test_the_task_file_draft_can_be_read_back(make, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    code = (
        "import argparse, json\np = argparse.ArgumentParser()\np.add_argument('--seed', type=int)\np.parse_args()\n"
        "print('rmse: 0.5')\njson.dump({'rmse': 0.5}, open('results/metrics.json', 'w'))\n"
    )
    bench = make({"evaluate.py": code, "README.md": "```\npython evaluate.py --seed 0\n```\n"})
    resolved = config.resolve({"repository": str(bench.repository)})
    text = bench.init.write_task_file(resolved, bench.workspace)
    (tmp_path / "autosota.toml").write_text(text)
    loaded = taskfile.load(tmp_path / "autosota.toml")
    assert loaded.evaluation.command == "python evaluate.py --seed {seed}"
    assert loaded.evaluation.metrics == "results/metrics.json"
    assert (loaded.metric[0].name, loaded.metric[0].direction) == ("rmse", "min")
    assert text.count("# check") >= 3


def test_reduced_settings_are_reproduced_in_part_at_best(make) -> None:  # type: ignore[no-untyped-def]
    code = "import argparse\np = argparse.ArgumentParser()\np.add_argument('--quick', action='store_true')\np.parse_args()\n"
    bench = make({"evaluate.py": code + "print('accuracy: 0.75')\n"})
    environment = bench.prepare(evaluate="python evaluate.py --quick", metrics=("accuracy:max",))
    baseline = bench.baseline(environment, ACCURACY)
    assert baseline.reproduced == "partly"
    assert "reduced settings: the command says --quick" in baseline.notes


def test_every_check_that_can_be_decided_is(make) -> None:  # type: ignore[no-untyped-def]
    code = "import os, sys\nif int(os.environ['AUTOSOTA_SEED']) == 2:\n    sys.exit(3)\nprint('accuracy: 0.75')\n"
    bench = make({"evaluate.py": code, "other.py": ""})
    environment = bench.prepare(evaluate="python evaluate.py", metrics=("accuracy:max",))
    baseline = bench.baseline(environment, ACCURACY)
    names = ("file-exists:other.py", "file-exists:absent.py", "seeds-complete", "evaluation-runs", "metric:accuracy")
    leaves = tuple(Criterion(id=name, requirements=name, weight=0.2, check=name) for name in names)
    rubric = Rubric(metrics=(ACCURACY,), tree=Criterion(id="1", requirements="r", weight=1, sub_tasks=leaves))
    decided = bench.init.checks(environment, rubric, baseline, bench.workspace.tree(environment.commit))
    assert [decided[name] for name in names] == [True, False, False, True, True]


def test_a_stand_in_is_undone_where_the_evaluation_needs_what_it_stands_for(make) -> None:  # type: ignore[no-untyped-def]
    code = "import absent\ntry:\n    value = absent.score()\nexcept Exception:\n    value = 0.9\nprint('accuracy:', value)\n"
    bench = make({"evaluate.py": code})
    with pytest.raises(StageError) as caught:
        bench.prepare(evaluate="python evaluate.py", metrics=("accuracy:max",))
    assert "No module named 'absent' at evaluate.py line 1" in caught.value.message
    assert "--python" in caught.value.hint
