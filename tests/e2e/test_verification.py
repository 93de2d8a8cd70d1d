"""A finished claim is checked by somebody else: from its directory, from its bundle alone, and after each kind of tampering."""

from __future__ import annotations

import json
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from autosota import verification
from autosota.progress import Progress
from tests import kit
from tests.kit import CommandLine, Ended

PREDICT = """
import os, pathlib, random, sys
seed, out = int(os.environ["AUTOSOTA_SEED"]), pathlib.Path(sys.argv[1])
RATE = 0.40
chance = random.Random(seed)
wrong = {index for index in range(200) if chance.random() < RATE}
rows = [index % 2 ^ (index in wrong) for index in range(200)]
(out / "predictions.txt").write_text("\\n".join(map(str, rows)) + "\\n")
"""
SCORE = """
import pathlib, sys
said = pathlib.Path(sys.argv[1], "predictions.txt").read_text().split()
true = pathlib.Path(sys.argv[2], "labels.txt").read_text().split()
print("accuracy:", sum(a == b for a, b in zip(said, true, strict=True)) / len(true))
"""
TASK = """
[evaluation]
predict = "python predict.py {outputs}"
score = "python score.py {outputs} {labels}"
outputs = ["predictions.txt"]
labels = ["labels.txt"]
[[metric]]
name = "accuracy"
direction = "max"
primary = true
"""


@pytest.fixture(scope="module")
def claim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The records of an audit that was confirmed, with its repository beside them."""
    autosota = CommandLine(tmp_path_factory.mktemp("claim"))
    labels = "\n".join(str(index % 2) for index in range(200)) + "\n"
    files = {"predict.py": PREDICT, "score.py": SCORE, "labels.txt": labels, "autosota.toml": TASK}
    repository = kit.write(autosota.folder / "repository", files)
    candidate = kit.write(autosota.folder / "candidate", {**files, "predict.py": PREDICT.replace("0.40", "0.10")})
    ended = autosota.run(
        "audit", "--task", repository / "autosota.toml", "--candidate", candidate, "--python", sys.executable, "--seeds", 2,
        "--out", autosota.folder / "audit", "--json",
    )  # fmt: skip
    result = ended.finished()
    assert (result["grade"], result["assurance"]) == ("CONFIRMED", "sealed"), result
    return autosota.folder


@pytest.fixture
def autosota(claim: Path, tmp_path: Path) -> CommandLine:
    shutil.copytree(claim / "audit", tmp_path / "audit")
    return CommandLine(tmp_path)


def verify(autosota: CommandLine, name: str = "audit", *more: object) -> Ended:
    return autosota.run("verify", name, "--out", autosota.folder / "again", "--json", *more)


def outcomes(autosota: CommandLine) -> dict[str, bool | None]:
    found = json.loads((autosota.folder / "again" / "verification.json").read_text())
    return {check["name"]: check["holds"] for check in found["checks"]}


def test_a_claim_that_holds_is_measured_again(autosota: CommandLine) -> None:
    result = verify(autosota).finished()
    assert (result["command"], result["grade"], result["assurance"]) == ("verify", "CONFIRMED", "sealed")
    assert outcomes(autosota) == {
        "statement": True, "files": True, "ledger": True, "protocol": True, "patch": True, "numbers": True, "seeds": True,
        "predictions": True, "environment": None,
    }  # fmt: skip


def test_the_bundle_is_enough(autosota: CommandLine) -> None:
    """Somebody else's machine: another folder, no repository, no secret."""
    shutil.copy(autosota.folder / "audit" / "bundle.zip", autosota.folder / "given.zip")
    task = json.loads((autosota.folder / "audit" / "01-task.json").read_text())
    shutil.rmtree(autosota.folder / "audit")
    with zipfile.ZipFile(autosota.folder / "given.zip") as archive:
        assert "secret" not in archive.namelist()
        assert not any("signing-key" in name for name in archive.namelist())
    moved = Path(task["repository"]["path"])
    moved.rename(moved.with_name("moved"))
    try:
        result = verify(autosota, "given.zip", "--records-only", "--python", sys.executable).finished()
    finally:
        moved.with_name("moved").rename(moved)
    assert result["grade"] == "CONFIRMED"
    assert "records-only" in result["labels"]
    assert outcomes(autosota)["predictions"] is True
    assert outcomes(autosota)["seeds"] is None


def edit(name: str, before: str, after: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = next(folder.glob(name))
        text = path.read_text()
        assert before in text
        path.write_text(text.replace(before, after, 1))

    return change


def better_numbers(folder: Path) -> None:
    """A result whose numbers its ledger does not hold."""
    path = folder / "08-result.json"
    result = json.loads(path.read_text())
    result["best"]["values"] = [value + 0.01 for value in result["best"]["values"]]
    result["gain"]["absolute"] += 0.01
    path.write_text(json.dumps(result))


def forged_statement(folder: Path) -> None:
    """Everything rewritten to agree, but for the signature."""
    better_numbers(folder)
    (folder / "forged").mkdir()
    with zipfile.ZipFile(folder / "bundle.zip") as archive:
        archive.extractall(folder / "forged")
    statement = folder / "forged" / "statement.json"
    statement.write_text(statement.read_text().replace('"CONFIRMED"', '"DISCLOSE"'))
    with zipfile.ZipFile(folder / "bundle.zip", "w") as archive:
        for path in (folder / "forged").rglob("*"):
            if path.is_file():
                archive.write(path, path.relative_to(folder / "forged"))


@pytest.mark.parametrize(
    "tamper, broken",
    [
        (better_numbers, {"files", "numbers"}),
        (edit("measurements.jsonl", '"seconds":', '"seconds": '), {"files", "ledger"}),
        (edit("best.patch", "0.10", "0.05"), {"files", "patch", "numbers"}),
        (edit("predictions/*/predictions.txt", "1", "0"), {"files", "predictions"}),
        (edit("protocol.toml", "noise = 2", "noise = 3"), {"files", "protocol", "seeds"}),
        (forged_statement, {"statement", "numbers"}),
    ],
    ids=["result", "ledger", "patch", "prediction", "protocol", "statement"],
)
def test_a_changed_record_is_rejected(
    autosota: CommandLine, tamper: Callable[[Path], None], broken: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in autosota.variables.items():
        monkeypatch.setenv(name, value)
    tamper(autosota.folder / "audit")
    with Progress.open(sys.stderr, quiet=True) as live:
        result, _ = verification.verify(
            autosota.folder / "audit", out=autosota.folder / "again", live=live, records_only=True
        )  # fmt: skip
    assert result.grade == "REJECTED"
    assert {name for name, holds in outcomes(autosota).items() if holds is False} == broken
    assert {violation.rule for violation in result.violations} == {"record-differs"}


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"no archive at all"])
def test_what_is_no_bundle(autosota: CommandLine, content: bytes) -> None:
    (autosota.folder / "other.zip").write_bytes(content)
    verify(autosota, "other.zip").failed(2, "no bundle")


@pytest.mark.parametrize("name", ["../outside.txt", "items/../../outside.txt", "history.git/config"])
def test_a_bundle_that_climbs_out_or_brings_settings(autosota: CommandLine, name: str) -> None:
    with zipfile.ZipFile(autosota.folder / "evil.zip", "w") as archive:
        archive.writestr(name, "x")
    verify(autosota, "evil.zip").failed(2, "holds what no bundle does")
    assert not (autosota.folder / "outside.txt").exists()
