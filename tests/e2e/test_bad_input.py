"""Papers, repositories, task files and flags that are not what they should be: one line that says what and where, and a hint."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from tests import kit
from tests.kit import CommandLine
from tests.paper import pdf_writer

GOOD = 'SCALE = 0.5\nprint("accuracy:", 0.5 + SCALE / 10)\n'


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """One that runs."""
    return kit.write(tmp_path / "repository", {"evaluate.py": GOOD})


@pytest.mark.parametrize("command", ["run", "replicate", "init", "audit", "show", "report", "verify"])
def test_nothing_there(autosota: CommandLine, command: str) -> None:
    more = {"audit": ["--task", "none.toml", "--candidate", "x"], "show": ["none"], "report": ["none"], "verify": ["none"]}
    autosota.run(command, *more.get(command, ["none"]), "--json").failed(2, "none")


def test_no_arguments(autosota: CommandLine) -> None:
    autosota.run("run", "--json").failed(2, "PAPER", "--task")
    autosota.run("--json").failed(2)
    autosota.run("runn", "--json").failed(2, "runn")
    autosota.run("run", "--no-such-flag", "--json").failed(2, "--no-such-flag")


def test_missing_inputs(autosota: CommandLine, repository: Path) -> None:
    autosota.run("run", "missing.pdf", repository, "--json").failed(2, "missing.pdf")
    autosota.run("run", "missing.pdf", "--json").failed(2, "missing.pdf")
    kit.write(autosota.folder, {"paper.md": "# Title\n\n## Abstract\n\nWe.\n"})
    autosota.run("run", "paper.md", "missing", "--json").failed(2, "missing", "archive")
    autosota.run("run", "paper.md", "--json").failed(2, "second argument")
    autosota.run("run", "--task", "missing.toml", "--json").failed(2, "missing.toml", "autosota init")


@pytest.mark.parametrize(
    "name, content, words",
    [
        ("none.pdf", b"\x00\x01 this is no PDF", "PDF"),
        ("empty.pdf", b"", "empty"),
        ("locked.pdf", pdf_writer.write([pdf_writer.Page().text(72, 700, "Words")], password="secret"), "encrypted"),
        ("scan.pdf", pdf_writer.write([pdf_writer.Page(), pdf_writer.Page()]), "scan"),
        ("cut.pdf", pdf_writer.write([pdf_writer.Page().text(72, 700, "Words")])[:200], "cut.pdf"),
        ("empty.md", b"", "empty"),
        ("picture.png", b"\x89PNG\r\n\x1a\n" + bytes(64), "picture.png"),
    ],
)
def test_papers_that_are_none(autosota: CommandLine, repository: Path, name: str, content: bytes, words: str) -> None:
    (autosota.folder / name).write_bytes(content)
    autosota.run("run", name, repository, "--json").failed(2, words)


def test_paper_that_may_not_be_read(autosota: CommandLine, repository: Path) -> None:
    folder = autosota.folder / "paper.md"
    folder.mkdir()
    autosota.run("run", folder, repository, "--json").failed(2, "paper.md")


@pytest.mark.parametrize(
    "files, words",
    [
        ({}, "empty"),
        ({"README.md": "# Our method\n\nThe code is coming soon.\n"}, "coming soon"),
        ({"data.bin": "\x00\x01", "table.csv": "a,b\n1,2\n"}, "no source files"),
        ({"Main.java": "class Main {}\n"}, "--eval"),
        ({"model.py": "WIDTH = 3\n"}, "--eval"),
    ],
)
def test_repositories_without_code_to_run(autosota: CommandLine, files: dict[str, str], words: str) -> None:
    folder = autosota.folder / "repository"
    folder.mkdir()
    autosota.measure(kit.write(folder, files)).failed(2, words)


def test_archives_that_are_none(autosota: CommandLine) -> None:
    (autosota.folder / "code.zip").write_bytes(b"PK\x03\x04 torn")
    (autosota.folder / "code.tar.gz").write_bytes(b"\x1f\x8b torn")
    autosota.run("replicate", "code.zip", "--json").failed(2, "code.zip")
    autosota.run("replicate", "code.tar.gz", "--json").failed(2, "code.tar.gz")


@pytest.mark.parametrize(
    "text, words",
    [
        ('[evaluation]\ncomand = "python evaluate.py"', "did you mean `command`"),
        ("[evaluation]\nseeds = 'five'", "seeds"),
        ('[[metric]]\nname = "accuracy"\ndirection = "upward"', "direction"),
        ('[[metric]]\nname = "a"\nprimary = true\n[[metric]]\nname = "b"\nprimary = true', "primary"),
        ('[[metric]]\nname = "accuracy"\n[[metric]]\nname = "Accuracy"', "same name"),
        ('[evaluation]\ncommand = "a"\npredict = "b"', "both"),
        ('[evaluation]\ntimeout = "soon"', "soon"),
        ('[budget]\nmemory = "much"', "much"),
        ('[mounts]\ndata = "/no/such/folder"', "/no/such/folder"),
        ('env = ["MY_API_KEY"]', "MY_API_KEY"),
        ('python = "/no/python"', "/no/python"),
        ("[evaluation\n", "TOML"),
        ('[evaluation]\nprotected = "evaluate.py"', "protected"),
        ('[[constraint]]\ntext = "t"\nfile = "none.yaml"\nkey = "a.b"', "none.yaml"),
    ],
)
def test_task_files_that_are_wrong(autosota: CommandLine, repository: Path, text: str, words: str) -> None:
    kit.write(repository, {"autosota.toml": text + "\n"})
    ended = autosota.run("run", repository, "--seeds", 2, "--trials", 1, "--out", "out", "--json",
                         *(() if "python =" in text else ("--python", sys.executable)))  # fmt: skip
    ended.failed(2, words)


def test_task_file_that_is_not_text(autosota: CommandLine, repository: Path) -> None:
    (repository / "autosota.toml").write_bytes(b"\xff\xfe\x00\x01")
    autosota.run("run", repository, "--json").failed(2, "autosota.toml")


@pytest.mark.parametrize(
    "flags, words",
    [
        (["--metric", "nosuch:max"], "accuracy"),
        (["--metric", "accuracy:upward"], "accuracy:upward"),
        (["--metric", ":max"], "--metric"),
        (["--python", "/no/such/python"], "/no/such/python"),
        (["--python", "/etc/passwd"], "/etc/passwd"),
        (["--sandbox", "castle"], "castle"),
        (["--time", "soon"], "soon"),
        (["--seeds", "1"], "--seeds"),
        (["--seeds", "many"], "--seeds"),
        (["--trials", "-1"], "--trials"),
        (["--workers", "0"], "--workers"),
        (["--target", "best"], "--target"),
        (["--search", "luck"], "--search"),
    ],
)
def test_flags_that_are_wrong(autosota: CommandLine, repository: Path, flags: list[str], words: str) -> None:
    autosota.measure(repository, *flags).failed(2, words)


def test_python_that_is_none(autosota: CommandLine, repository: Path) -> None:
    program = autosota.folder / "python"
    program.write_text("#!/bin/sh\necho no\n")
    program.chmod(0o755)
    autosota.measure(repository, "--python", program).failed(2, str(program))


@pytest.mark.parametrize("place", ["/proc/none/out", "file/out"])
def test_out_that_cannot_be_written(autosota: CommandLine, repository: Path, place: str) -> None:
    (autosota.folder / "file").write_text("x")
    autosota.measure(repository, "--out", place).failed(2, "--out")


def test_out_that_is_a_file(autosota: CommandLine, repository: Path) -> None:
    (autosota.folder / "file").write_text("x")
    autosota.measure(repository, "--out", "file").failed(2, "--out")


def test_out_that_holds_something_else(autosota: CommandLine, repository: Path) -> None:
    """A folder with somebody's files is not taken for a run."""
    kit.write(autosota.folder / "thesis", {"thesis.tex": "years of work"})
    autosota.measure(repository, "--out", "thesis").failed(2, "thesis")
    assert os.listdir(autosota.folder / "thesis") == ["thesis.tex"]


def test_out_of_another_run(autosota: CommandLine, repository: Path) -> None:
    autosota.measure(repository).finished()
    before = autosota.ledger()
    autosota.measure(repository, "--seeds", 3).failed(2, "seeds: was 2, now 3", "--out")
    assert autosota.ledger() == before


def test_records_that_were_damaged(autosota: CommandLine, repository: Path) -> None:
    autosota.measure(repository, "--trials", 2).finished()
    out = autosota.folder / "out"
    for name in ("run.toml", "04-baseline.json", "measurements.jsonl"):
        text = (out / name).read_text()
        (out / name).write_text("{ torn\n" + text)
        autosota.measure(repository, "--trials", 2, command="run").failed(2 if name == "run.toml" else 1, name)
        (out / name).write_text(text)
    autosota.measure(repository, "--trials", 2, command="run").finished()


def test_unreachable_addresses(autosota: CommandLine) -> None:
    variables = {**autosota.variables, "https_proxy": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9", "no_proxy": ""}
    autosota.run("replicate", "http://127.0.0.1:9/x.git", "--json", env=variables).failed(2, "127.0.0.1:9")
    autosota.run("run", "http://127.0.0.1:9/paper.pdf", "--json", env=variables).failed(2, "127.0.0.1:9")


def test_init_writes_only_its_file(autosota: CommandLine, repository: Path) -> None:
    ended = autosota.run("init", repository, "--python", sys.executable, "--json")
    assert ended.finished()["path"] == str(repository / "autosota.toml")
    assert sorted(os.listdir(repository)) == ["autosota.toml", "evaluate.py"]
    autosota.run("init", repository, "--json").failed(2, "--yes")
    assert json.loads(autosota.measure(repository).stdout)["metrics"][0]["name"] == "accuracy"


def test_init_elsewhere(autosota: CommandLine, repository: Path) -> None:
    """The task file names the repository wherever it is written."""
    autosota.run("init", repository, "--out", autosota.folder / "task.toml", "--json").finished()
    assert os.listdir(repository) == ["evaluate.py"]
    flags = ("--task", autosota.folder / "task.toml", "--python", sys.executable, "--seeds", 2, "--out", "out")
    assert autosota.run("replicate", *flags, "--json").finished()["metrics"][0]["mean"] == 0.55
    autosota.run("init", repository, "--out", "none/task.toml", "--json").failed(2, "none/task.toml")


def test_views_of_what_is_not_there(autosota: CommandLine, repository: Path) -> None:
    """Runs and experiments that do not exist, and runs that ended early, are shown or refused in words."""
    assert autosota.run("list", "nowhere", "--json").finished() == {"runs": []}
    autosota.run("clean", "nowhere", "--json").finished()
    autosota.run("doctor", "--json").finished()
    kit.write(repository, {"evaluate.py": "import sys\nsys.exit('broken')\n"})
    autosota.measure(repository).failed(1, "broken")
    autosota.run("show", "out", "--json").finished()
    autosota.run("report", "out", "--json").finished()
    autosota.run("show", "out", "7", "--json").failed(2, "7")
    autosota.run("verify", "out", "--json").failed(2)
