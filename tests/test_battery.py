"""The score command is tried with answers that nobody would believe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autosota import battery, sandboxes
from autosota.errors import UsageError
from autosota.evaluation import Evaluation
from autosota.ports import Limits
from autosota.records import MetricSpec
from autosota.store import Store
from autosota.workspace import Workspace
from tests import kit

LABELS = "id,kind\n" + "".join(f"{i},{int(i % 3 == 0)}\n" for i in range(30))
PREDICT = "import sys\nrows = [(i, int(i % 3 == 0) if i % 5 else 1) for i in range(30)]\n" \
          "open(sys.argv[1] + '/p.csv', 'w').write('id,kind\\n' + ''.join(f'{i},{k}\\n' for i, k in rows))\n"  # fmt: skip
READ = "import sys\ndef read(p):\n    return [line.split(',') for line in open(p).read().split('\\n')[1:] if line]\n" \
       "given, truth = read(sys.argv[1] + '/p.csv'), read(sys.argv[2] + '/labels.csv')\n"  # fmt: skip
STRICT = "assert [a for a, _ in given] == [a for a, _ in truth] and all(k in '01' for _, k in given)\n"
SCORE = "print('accuracy:', sum(a == b for a, b in zip(given, truth)) / len(truth))\n"
Make = Callable[[str], Evaluation]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Workspace] = []

    def build(score: str) -> Evaluation:
        kit.write(tmp_path / "repository", {"predict.py": PREDICT, "score.py": READ + score, "labels.csv": LABELS})
        made.append(Workspace(tmp_path / "history.git", tmp_path / "repository"))
        environment = kit.environment(
            made[-1].snapshot(), predict="python predict.py {outputs}", score="python score.py {outputs} {labels}",
            outputs=("p.csv",), labels=("labels.csv",),
        )  # fmt: skip
        return Evaluation(
            workspace=made[-1], executor=sandboxes.open_executor("local", tmp_path / "scratch"), environment=environment,
            metrics=(kit.ACCURACY,), limits=Limits(seconds=20), scratch=tmp_path / "exports", store=Store(tmp_path / "run"),
        )  # fmt: skip

    yield build
    for workspace in made:
        workspace.close()


def test_a_strict_scorer_refuses_broken_answers(make: Make) -> None:
    notes = battery.calibrate(make(STRICT + SCORE), kit.ACCURACY, 1, mean=0.9, noise=0.01)
    assert notes == (
        "scorer: tried with 8 dummy answers (perfect, constant, majority, shuffled, NaN, missing rows, duplicated rows, empty), "
        "4 refused",
    )


def test_what_a_lax_scorer_accepts_is_noted_and_a_dummy_that_wins_too(make: Make) -> None:
    notes = battery.calibrate(make(SCORE), kit.ACCURACY, 1, mean=0.6, noise=0.0)
    assert any(note.startswith(battery.BEATEN) and "majority" in note for note in notes)
    for words in ("NaN", "missing rows", "duplicated rows"):
        assert any(words in note and "accepts" in note for note in notes), words


def test_a_metric_that_every_dummy_improves_is_the_users_to_mend(make: Make) -> None:
    wrong = MetricSpec(name="accuracy", direction="min", primary=True)
    with pytest.raises(UsageError, match="every dummy answer beats"):
        battery.calibrate(make(STRICT + SCORE), wrong, 1, mean=0.95, noise=0.0)


def test_one_command_cannot_be_tried(tmp_path: Path, make: Make) -> None:
    evaluation = make(SCORE)
    evaluation.environment = kit.environment("b", evaluate="python x.py")
    assert battery.calibrate(evaluation, kit.ACCURACY, 1, mean=0.5, noise=0.0)[0].startswith(battery.UNDONE)
