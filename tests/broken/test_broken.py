"""Broken repositories give their author's number, or the reason why not; never another number."""

from __future__ import annotations

from pathlib import Path

import pytest

from autosota import sandboxes
from autosota.failures import Memory
from autosota.ports import Executor
from tests.broken import Broken, Hopeless, hopeless, repositories
from tests.broken.bench import bring

QUICK = (
    "alias-in-helper", "removed-argument", "missing-package", "debugger-left-in", "hard-coded-path", "own-module",
    "output-folder", "python-two", "cuda-method", "latent-failure", "crash-after-metric", "chain-of-three",
)  # fmt: skip
BROKEN = [
    pytest.param(name, id=name, marks=() if name in QUICK else pytest.mark.slow) for name in repositories()
]  # slow: 90 repositories take two minutes
REFUSED = ("private-data", "private-package", "large-file-pointer")


@pytest.fixture(scope="module")
def executor(tmp_path_factory: pytest.TempPathFactory) -> Executor:
    return sandboxes.open_executor(None, tmp_path_factory.mktemp("scratch"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize("name", BROKEN)
def test_the_number_is_reproduced(name: str, tmp_path: Path, executor: Executor, cache: Path) -> None:
    case: Broken = repositories()[name]
    outcome = bring(case, tmp_path, executor=executor, cache=cache)
    assert outcome.value == pytest.approx(case.truth, abs=1e-9), outcome.message
    assert outcome.verdict == case.verdict
    if case.skills is not None:
        assert outcome.skills == case.skills


@pytest.mark.parametrize(
    "name", [pytest.param(name, id=name, marks=() if name in REFUSED else pytest.mark.slow) for name in hopeless()]
)
def test_what_cannot_be_mended_ends_with_the_reason(name: str, tmp_path: Path, executor: Executor, cache: Path) -> None:
    case: Hopeless = hopeless()[name]
    outcome = bring(case, tmp_path, executor=executor, cache=cache)
    assert outcome.value is None
    for word in case.words:
        assert word in f"{outcome.message} / {outcome.hint}"


def test_code_that_is_not_reached_is_left_alone(tmp_path: Path, executor: Executor, cache: Path) -> None:
    outcome = bring(repositories()["latent-failure"], tmp_path, executor=executor, cache=cache)
    assert outcome.value == 0.75 and not outcome.changed


def test_what_worked_before_is_tried_first_and_what_stands_in_is_not(tmp_path: Path, executor: Executor, cache: Path) -> None:
    memory = Memory(tmp_path / "failures.sqlite")
    first, second = (
        bring(repositories()["debugger-left-in"], tmp_path / str(number), executor=executor, cache=cache, memory=memory)
        for number in range(2)
    )
    assert (first.verdict, second.verdict) == ("partly", "partly")
    assert second.attempts < first.attempts
    memory.close()


def test_there_is_one_of_every_kind() -> None:
    assert len(repositories()) >= 40 and len(hopeless()) >= 6
    assert len({case.family for case in repositories().values()}) >= 20
    assert max(len(case.skills or ()) for case in repositories().values()) >= 7
