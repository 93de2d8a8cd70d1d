"""Metrics read from what evaluations write and print (contract, section 3)."""

from __future__ import annotations

import json
import math

import pytest

from autosota import metrics
from autosota.metrics import vocabulary
from autosota.records import MetricSpec


def spec(name: str, direction: str = "max", **more: object) -> MetricSpec:
    return MetricSpec.model_validate({"name": name, "direction": direction, **more})


def value(stdout: str, name: str = "accuracy", **more: object) -> float:
    reading = metrics.read([spec(name, **more)], stdout=stdout)
    assert reading.failure is None, reading.failure
    return reading.values[name]


def failure(stdout: str, name: str = "accuracy", file: bytes | None = None, file_name: str = "", **more: object) -> str:
    reading = metrics.read([spec(name, **more)], stdout=stdout, file=file, file_name=file_name)
    assert reading.failure is not None and "\n" not in reading.failure
    assert name not in reading.values
    return reading.failure


REPORT = """\
              precision    recall  f1-score   support

           0       0.97      0.96      0.97        53
           1       0.95      0.96      0.95        53

    accuracy                           0.96       450
   macro avg       0.94      0.93      0.92       450
"""


@pytest.mark.parametrize(
    ("stdout", "name", "expected"),
    [
        ("accuracy: 0.93", "accuracy", 0.93),
        ("Accuracy = .93", "accuracy", 0.93),
        ("accuracy 0.93", "accuracy", 0.93),
        ("name=0.93, other=0.2", "name", 0.93),
        ("name=0.93, other=0.2", "other", 0.2),
        ("epoch 3 | loss 0.3 | acc 0.9", "acc", 0.9),
        ("epoch 3 loss 0.3 acc 0.9", "acc", 0.9),
        ("Test_Accuracy : 93.1 %", "test accuracy", 93.1),
        ("accuracy: 0.93 ± 0.02", "accuracy", 0.93),
        ("accuracy: 93.1 +/- 0.4 (5 runs)", "accuracy", 93.1),
        ("nll: 1.5e-3", "nll", 1.5e-3),
        ("score: -1,234.5", "score", -1234.5),
        ("score: \u2212 2", "score", 2.0),
        ("score: \u22122", "score", -2.0),
        ("rmse = 0,93", "rmse", 0.93),
        ("count: 3", "count", 3.0),
        ("\x1b[1maccuracy\x1b[0m: \x1b[32m0.93\x1b[0m", "accuracy", 0.93),
        ("  0%|  | 0/9, acc=0.1\r 50%|# | 5/9, acc=0.5\r100%|##| 9/9, acc=0.9\n", "acc", 0.9),
        ("2024-01-31 12:00:01,123 - INFO - accuracy: 0.93", "accuracy", 0.93),
        ("INFO:root:accuracy: 0.93", "accuracy", 0.93),
        ("[12:01:33] test/accuracy = 0.93", "test_accuracy", 0.93),
        ("accuracy ........ 0.93", "accuracy", 0.93),
        ("  * Acc@1 75.3 Acc@5 92.1", "acc@5", 92.1),
        ("top-5 accuracy: 0.9", "top5_accuracy", 0.9),
        ("RMSE (m): 0.31", "rmse", 0.31),
        ("R^2: 0.8", "r2", 0.8),
        ("R² 0.8", "R2", 0.8),
        ("fit took: 3.5s", "fit took", 3.5),
        ("Test set: Average loss: 0.0265, Accuracy: 9912/10000 (99%)", "accuracy", 0.9912),
        ("Test set: Average loss: 0.0265, Accuracy: 9912/10000 (99%)", "average_loss", 0.0265),
        ("Final test accuracy: 0.93", "accuracy", 0.93),
        ("The accuracy on the test set is 0.93", "accuracy", 0.93),
        ("Accuracy of the network on the 10000 test images: 54 %", "accuracy", 54.0),
        ("train accuracy: 0.99\ntest accuracy: 0.9", "accuracy", 0.9),
        (REPORT, "accuracy", 0.96),
        (REPORT, "macro avg f1-score", 0.92),
        ("| Model | Acc | F1 |\n|:--|--:|--:|\n| ours | 0.93 | 0.92 |", "F1", 0.92),
        ("+-------+------+\n| Model | Acc  |\n+=======+======+\n| ours  | 0.93 |\n+-------+------+", "acc", 0.93),
        ("┏━━━┳━━━┓\n┃ Metric ┃ Value ┃\n┡━━━╇━━━┩\n│ accuracy │ 0.93 │\n│ loss │ 0.2 │\n└───┴───┘", "accuracy", 0.93),
        ("model     accuracy    loss\nours          0.93     0.2", "accuracy", 0.93),
        ("accuracy    0.93\nloss        0.20\ndtype: float64", "loss", 0.2),
        ('log {x}\n{"accuracy": 0.5}\n{"accuracy": 0.93}\nbye }', "accuracy", 0.93),
        ('{\n "test": {\n  "accuracy": 0.93\n }\n}\n', "accuracy", 0.93),
        ("{'accuracy': np.float64(0.93), 'loss': nan}\n100%|###| 10/10", "accuracy", 0.93),
        ("result: {'accuracy': tensor(0.93, device='cuda:0'), 'n': 3}", "accuracy", 0.93),
        ('{"results": [{"metric": "accuracy", "value": 0.93}]}', "accuracy", 0.93),
        ('{"accuracy": "93.1%"}', "accuracy", 93.1),
    ],
)
def test_a_printed_number_is_found_under_its_name(stdout: str, name: str, expected: float) -> None:
    assert value(stdout, name) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("stdout", "words"),
    [
        ("", "printed no number"),
        ("all went well", "printed no number"),
        ("loss: 0.3", "`loss`"),
        ("accuracy: nan", "NaN"),
        ("accuracy: inf", "infinite"),
        ("accuracy: None", "not a number"),
        ('{"accuracy": true}', "true, not a number"),
        ('{"accuracy": null}', "none, not a number"),
        ('{"accuracy": [0.9, 0.8]}', "a list of 2"),
        ('{"accuracy": NaN}', "NaN"),
        ("{'accuracy': nan}", "NaN"),
        ('{"accuracy": 0.9, "accuracy": 0.8}', "2 different values"),
        ("accuracy 0.90 0.95", "2 different values"),
        ("accuracy: [0.9, 0.8]", "no metric"),
        ("train accuracy: 0.99", "no metric"),
        ("accuracy on the train set: 0.99", "no metric"),
        ("accuracy-0.9-0.95", "no"),
        ("accuracy3.2.1", "no"),
        ("recall@10", "no"),
    ],
)
def test_what_is_no_metric_fails_and_says_so(stdout: str, words: str) -> None:
    assert words in failure(stdout)


def test_different_values_of_one_name_need_a_section() -> None:
    stdout = "Train results\naccuracy = 0.99\nTest results\naccuracy = 0.90\nReference run\naccuracy = 0.50\n"
    message = failure(stdout)
    for part in ("0.99", "line 2", "0.90", "line 4", "0.50", "line 6", "section"):
        assert part in message
    assert value(stdout, section="test RESULTS") == 0.90
    assert value(stdout, section="Train results") == 0.99
    assert "does not occur" in failure(stdout, section="Validation")
    assert "not printed below" in failure("accuracy: 0.9\nTest results\n", section="Test results")


def test_the_same_value_again_is_no_contradiction() -> None:
    assert value("accuracy: 0.9\n...\naccuracy: 0.90\n") == 0.9


def test_a_section_may_name_a_row_a_column_a_path_or_the_same_line() -> None:
    table = "| Model | Accuracy | Loss |\n|---|---|---|\n| base | 0.90 | 1 |\n| ours | 0.93 | 2 |"
    assert "2 different values" in failure(table)
    assert value(table, section="ours") == 0.93
    swapped = "| Metric | Base | Ours |\n|---|---|---|\n| Accuracy | 0.90 | 0.93 |"
    assert value(swapped, section="Ours") == 0.93
    assert value('{"train": {"accuracy": 1.0}, "test": {"accuracy": 0.9}}', section="test") == 0.9
    assert value("Train: accuracy 0.99\nTest: accuracy 0.9", section="Test") == 0.9
    assert value('Train\n{"accuracy": 1.0}\nTest\n{"accuracy": 0.9}\nReference\n{"accuracy": 0.5}', section="Test") == 0.9


def test_the_file_comes_before_the_output() -> None:
    file = json.dumps({"accuracy": 0.9, "detail": {"accuracy": 0.1, "loss": 2}}).encode()
    reading = metrics.read([spec("accuracy"), spec("loss", "min")], stdout="accuracy: 0.5", file=file, file_name="m.json")
    assert reading.values == {"accuracy": 0.9, "loss": 2.0} and reading.failure is None
    fallback = metrics.read([spec("accuracy")], stdout="accuracy: 0.5", file=b'{"loss": 1}', file_name="m.json")
    assert fallback.values == {"accuracy": 0.5} and "not in m.json" in fallback.notes[0]
    absent = metrics.read([spec("accuracy")], stdout="accuracy: 0.5", file=None, file_name="m.json")
    assert absent.values == {"accuracy": 0.5} and "m.json" in absent.notes[0]
    assert "NaN" in failure("accuracy: 0.5", file=b'{"accuracy": NaN}', file_name="m.json")


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b'{"test": {"accuracy": 0.93}}', "m.json"),
        (b'\xef\xbb\xbf{"accuracy": 0.93}', "m.json"),
        (b'{"epoch": 1, "accuracy": 0.5}\n{"epoch": 2, "accuracy": 0.93}\n', "m.jsonl"),
        (b"metric,value\naccuracy,0.93\nloss,0.2\n", "m.csv"),
        (b"accuracy,0.93\nloss,0.2\n", "m.csv"),
        (b"accuracy,loss\n0.93,0.2\n", "m.csv"),
        (b"model\taccuracy\nours\t0.93\n", "m.tsv"),
        (b"# results\naccuracy;loss\n0.93;2\n", "m.csv"),
        (b"accuracy: 0.93\n", "result.log"),
        (b"\xff\xfe accuracy: 0.93\n", "result.txt"),
        (b'{"cells": [{"outputs": [{"text": ["accuracy: 0.93\\n"]}]}]}', "run.ipynb"),
    ],
)
def test_files_of_many_kinds(content: bytes, name: str) -> None:
    reading = metrics.read([spec("accuracy")], stdout="", file=content, file_name=name)
    assert reading.values == {"accuracy": 0.93}, reading.failure


def test_a_number_beside_a_long_list_is_found() -> None:
    content = json.dumps({"history": [{"step": step, "loss": 0.5} for step in range(80_000)], "accuracy": 0.93}).encode()
    assert metrics.read([spec("accuracy")], stdout="", file=content, file_name="m.json").values == {"accuracy": 0.93}


def test_rows_of_a_csv_are_told_apart_by_section() -> None:
    content = b"model,accuracy,loss\nbase,0.9,1\nours,0.93,2\n"
    assert "2 different values" in failure("", file=content, file_name="m.csv")
    reading = metrics.read([spec("accuracy", section="ours")], stdout="", file=content, file_name="m.csv")
    assert reading.values == {"accuracy": 0.93}


@pytest.mark.parametrize(
    ("stdout", "name", "direction", "reported", "expected"),
    [
        ("accuracy: 0.912", "accuracy", "max", 91.2, 91.2),
        ("accuracy: 0.25", "accuracy", "max", 91.2, 25.0),
        ("accuracy: 91.2%", "accuracy", "max", 0.912, 0.912),
        ("accuracy: 91.2", "accuracy", "max", 0.912, 0.912),
        ("accuracy: 91.2%", "accuracy", "max", 91.0, 91.2),
        ("error rate: 0.12", "error rate", "min", 12.0, 12.0),
        ("coverage: 0.9", "coverage", "max", 90.1, 90.0),
        ("quality: 0.5", "quality", "max", 50.5, 50.0),
        ("loss: 0.5", "loss", "min", 50.0, 0.5),
        ("loss: 0.9", "loss", "min", 1.2, 0.9),
        ("mse: 3.0", "mse", "min", 0.9, 3.0),
        ("quality: 0.7", "quality", "max", 40.0, 0.7),
        ("fit_seconds: 250ms", "fit_seconds", "min", None, 0.25),
        ("latency: 250ms", "latency", "min", 240.0, 250.0),
    ],
)
def test_units_follow_the_reported_number(
    stdout: str, name: str, direction: str, reported: float | None, expected: float
) -> None:
    reading = metrics.read([spec(name, direction, reported=reported)], stdout=stdout)
    assert reading.values[name] == expected
    assert bool(reading.notes) == (expected != float(stdout.split(": ")[1].strip("%ms"))) or "not converted" in reading.notes[0]


def test_a_unit_fixed_by_the_baseline_is_not_guessed_again() -> None:
    in_percent = spec("accuracy", reported=45.0)
    assert metrics.read([in_percent], stdout="accuracy: 1.0").values == {"accuracy": 100.0}
    fixed = in_percent.model_copy(update={"scale": metrics.scale(in_percent, [45.0, 44.5])})
    assert metrics.read([fixed], stdout="accuracy: 1.0").values == {"accuracy": 1.0}
    error = spec("error rate", "min", reported=7.96)
    fixed = error.model_copy(update={"scale": metrics.scale(error, [0.0796])})
    assert metrics.read([fixed], stdout="error rate: 0.005").values == {"error rate": 0.5}
    assert metrics.scale(spec("accuracy"), [0.9]) is None and metrics.scale(in_percent, [0.45, 45.0]) is None


def test_complete_means_every_metric() -> None:
    reading = metrics.read([spec("accuracy"), spec("f1"), spec("loss", "min")], stdout="accuracy: 0.9\nloss: nan\n")
    assert reading.values == {"accuracy": 0.9}
    assert reading.failure is not None and "`f1`" in reading.failure and "`loss` is NaN" in reading.failure


def test_names_lists_what_was_printed() -> None:
    found = metrics.names(
        "epoch 1 | Top-1 acc 0.5\nepoch 2 | Top-1 acc 0.9\nrecall@10 = 0.3 (best nan)\n", b'{"test": {"f1": 0.8}}'
    )
    assert found["test.f1"] == [0.8] and found["Top-1 acc"] == [0.5, 0.9] and found["recall@10"] == [0.3]
    assert all(math.isfinite(number) for numbers in found.values() for number in numbers)


@pytest.mark.parametrize(
    "hostile",
    [
        "{" * 200_000 + "\naccuracy: 0.9",
        "}" * 200_000 + "\naccuracy: 0.9",
        '{"a":' * 5000 + "1" + "}" * 5000 + "\naccuracy: 0.9",
        "9" * 1_000_000 + "\naccuracy: 0.9",
        "a" * 1_000_000 + "\naccuracy: 0.9",
        "1,111" * 100_000 + "\naccuracy: 0.9",
        ": " * 500_000 + "\naccuracy: 0.9",
        "\x1b[" * 300_000 + "\naccuracy: 0.9",
        "a|" * 300_000 + "\naccuracy: 0.9",
        "step 1 loss 0.5\n" * 200_000 + "accuracy: 0.9",
        "\x00" * 1000 + "\ud800 \nnoise \u202e\naccuracy: 0.9",
    ],
    ids=["open", "close", "deep", "digits", "letters", "thousands", "colons", "escapes", "bars", "many lines", "odd bytes"],
)
def test_hostile_output_is_read_in_bounded_work(hostile: str) -> None:
    assert value(hostile) == 0.9


def test_the_ends_of_a_huge_output_are_read_and_a_miss_says_so() -> None:
    filler = "nothing to see here\n" * 230_000
    assert value(filler + "accuracy: 0.9\n") == 0.9
    assert value("accuracy: 0.9\n" + filler) == 0.9
    assert "only its beginning and end" in failure(filler + "accuracy: 0.9\n" + filler)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("accuracy", "max"), ("Top-1 error", "min"), ("error rate", "min"), ("NDCG@10", "max"), ("macro-F1", "max"),
        ("test_loss", "min"), ("log loss", "min"), ("log-likelihood", "max"), ("negative log likelihood", "min"), ("R²", "max"),
        ("fit_seconds", "min"), ("silhouette", "max"), ("adjusted Rand index", "max"), ("mIoU", "max"), ("sMAPE", "min"),
        ("interval width", "min"), ("frobnication", None), ("compression ratio", None), ("RMSE (m)", "min"),
    ],
)  # fmt: skip
def test_direction_by_name(name: str, expected: str | None) -> None:
    assert vocabulary.direction(name) == expected


@pytest.mark.parametrize("before", ["Loading data", "data/x.txt loaded", "Using the cpu today", "a b"])
@pytest.mark.parametrize("line", ["accuracy: 0.5", "accuracy = 0.5", "Test accuracy: 0.5", "test accuracy:   0.5"])
def test_a_named_line_below_words_is_no_table(before: str, line: str) -> None:
    name = line.rstrip("0.5").rstrip(" =:")
    assert metrics.names(f"{before}\n{line}\n") == {name: [0.5]}
