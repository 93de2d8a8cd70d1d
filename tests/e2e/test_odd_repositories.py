"""Repositories as they lie on people's disks: links, names, histories, missing parts. They run, or say what is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import kit
from tests.kit import CommandLine

GOOD = 'SCALE = 0.5\nprint("accuracy:", 0.5 + SCALE / 10)\n'
READS = "import sys\nprint('accuracy:', float(open('data/value.txt').read()))\n"


def git(folder: Path, *arguments: str) -> None:
    """A git command of the user's."""
    own = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    subprocess.run(["git", "-C", folder, *arguments], check=True, capture_output=True, env={**os.environ, **own})


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """One that runs."""
    return kit.write(tmp_path / "repository", {"evaluate.py": GOOD})


def test_links_out_of_the_tree(autosota: CommandLine, repository: Path, tmp_path: Path) -> None:
    """They are kept as links and lead nowhere in the sandbox; what is behind them is never read."""
    (tmp_path / "secret.txt").write_text("0.9")
    code = """
import os
for name in ("outside", "absolute", "loop", "folder/secret.txt"):
    try:
        print("accuracy:", open(name).read())
    except OSError as error:
        continue
print("accuracy: 0.5")
"""
    kit.write(repository, {"evaluate.py": code})
    (repository / "outside").symlink_to("../secret.txt")
    (repository / "absolute").symlink_to(tmp_path / "secret.txt")
    (repository / "loop").symlink_to("loop")
    (repository / "folder").symlink_to(tmp_path)
    (repository / "broken").symlink_to("nothing")
    assert autosota.measure(repository).finished()["metrics"][0]["mean"] == 0.5


def test_names_in_any_encoding(autosota: CommandLine, repository: Path) -> None:
    for name in (
        b"caf\xe9.txt",
        b"two\nlines.txt",
        b"quote\"s'.txt",
        b"\\back.txt",
        b" space ",
        b"-option",
        b"tab\t.py",
        "é.py".encode(),
    ):
        with open(os.path.join(os.fsencode(repository), name), "wb") as file:
            file.write(b"x = 1\n")
    os.mkdir(os.path.join(os.fsencode(repository), b"folder\xff"))
    Path(os.path.join(os.fsdecode(os.path.join(os.fsencode(repository), b"folder\xff")), "inside.py")).write_text("y = 2\n")
    ended = autosota.measure(repository, "--trials", 2, command="run")
    assert ended.finished()["baseline"]["mean"] == 0.55
    autosota.run("show", autosota.folder / "out", "--json").finished()


@pytest.mark.parametrize("kind", ["history", "dirty", "empty", "broken", "file", "bare"])
def test_own_history(autosota: CommandLine, repository: Path, kind: str) -> None:
    source: object = repository
    if kind in ("history", "dirty", "bare"):
        git(repository, "init", "-q")
        git(repository, "add", "-A")
        git(repository, "commit", "-q", "-m", "first")
    if kind == "dirty":
        kit.write(repository, {"evaluate.py": GOOD.replace("0.5 +", "0.25 +"), "new.py": "x = 1\n"})
    if kind == "empty":
        git(repository, "init", "-q")
    if kind == "broken":
        kit.write(repository, {".git/HEAD": "nonsense", ".git/index": "torn"})
    if kind == "file":
        kit.write(repository, {".git": "gitdir: /nowhere/at/all\n"})
    if kind == "bare":
        git(autosota.folder, "clone", "-q", "--bare", str(repository), "bare.git")
        source = autosota.folder / "bare.git"
    data = autosota.measure(Path(str(source))).finished()
    assert data["metrics"][0]["mean"] == (0.3 if kind == "dirty" else 0.55)


def test_dangerous_settings_of_git(autosota: CommandLine, repository: Path, tmp_path: Path) -> None:
    """Hooks, filters and monitors of somebody's repository never run on the host."""
    git(repository, "init", "-q")
    kit.write(repository, {".gitattributes": "*.py filter=evil diff=evil\n"})
    program = f"touch {tmp_path}/ran; cat"
    for key in ("filter.evil.clean", "filter.evil.smudge", "diff.evil.textconv", "core.fsmonitor", "core.pager", "diff.external"):
        git(repository, "config", key, program)
    hook = repository / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    autosota.measure(repository, "--trials", 2, command="run").finished()
    assert not (tmp_path / "ran").exists()


def test_missing_submodule(autosota: CommandLine, repository: Path) -> None:
    """It is named among the reasons when the code that needs it fails."""
    git(repository, "init", "-q")
    kit.write(repository, {
        "evaluate.py": "import library.model\nprint('accuracy:', library.model.score())\n",
        ".gitmodules": '[submodule "library"]\n\tpath = library\n\turl = https://example.org/library.git\n',
    })  # fmt: skip
    (repository / "library").mkdir()
    git(repository, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},library")
    ended = autosota.measure(repository)
    ended.failed(1)
    assert "submodule" in ended.stderr


def test_data_that_git_ignores(autosota: CommandLine, repository: Path) -> None:
    git(repository, "init", "-q")
    kit.write(repository, {"evaluate.py": READS, ".gitignore": "data/\n", "data/value.txt": "0.5\n", "data/unused.bin": "x"})
    assert autosota.measure(repository).finished()["metrics"][0]["mean"] == 0.5


def test_missing_data(autosota: CommandLine, repository: Path) -> None:
    kit.write(repository, {"evaluate.py": READS})
    autosota.measure(repository).failed(1, "data/value.txt", "[mounts]")


def test_no_python(autosota: CommandLine) -> None:
    """Other languages run as they are, with a command."""
    folder = kit.write(autosota.folder / "repository", {"evaluate.sh": "echo accuracy: 0.5\n", "notes.r": "x <- 1\n"})
    data = autosota.measure(
        folder, "--eval", "sh evaluate.sh", "--metric", "accuracy:max", "--trials", 2, command="run"
    ).finished()
    assert data["grade"] == "UNCONFIRMED"


def test_code_that_nobody_can_parse(autosota: CommandLine, repository: Path) -> None:
    deep = "x = " + "(" * 3000 + "1" + ")" * 3000
    files = {
        "old.py": "print 'python 2'\n", "deep.py": deep, "long.py": "y = '" + "a" * 10**6 + "'\n", "config.yaml": "a: [b: {\n",
        "table.json": "{torn", "setup.cfg": "[[[", "pyproject.toml": "= = =",
    }  # fmt: skip
    kit.write(repository, files)
    (repository / "binary.py").write_bytes(bytes(range(256)) * 10)
    (repository / "bomb.yaml").write_text(
        "a: &a [x,x,x]\n" + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)},*{chr(97 + i)}]\n" for i in range(24))
    )
    autosota.measure(repository, "--trials", 2, command="run").finished()


def test_special_files(autosota: CommandLine, repository: Path) -> None:
    """Pipes and sockets are passed over, not waited for."""
    os.mkfifo(repository / "pipe.py")
    os.mkfifo(repository / "config.yaml")
    autosota.measure(repository, "--trials", 1, command="run").finished()


def test_read_only_repository(autosota: CommandLine, repository: Path) -> None:
    (repository / "evaluate.py").chmod(0o444)
    repository.chmod(0o555)
    autosota.measure(repository).finished()
    repository.chmod(0o755)


def test_runs_inside_the_repository(autosota: CommandLine, repository: Path) -> None:
    """The default place of runs may lie in the repository; a second run does not see the first one's files."""
    for _ in range(2):
        ended = autosota.run("replicate", ".", "--python", sys.executable, "--seeds", 2, "--json", cwd=repository)
        assert ended.finished()["metrics"][0]["mean"] == 0.55
    assert sorted(os.listdir(repository)) == ["evaluate.py", "runs"]
    first, second = sorted((repository / "runs").glob("*/*/01-task.json"))
    assert '"evaluate.py"' not in first.read_text() or first.read_text().count("runs/") == second.read_text().count("runs/")


@pytest.mark.slow  # 50,000 files take a while to make
def test_fifty_thousand_files(autosota: CommandLine, repository: Path) -> None:
    for number in range(500):
        folder = repository / "data" / f"{number:03d}"
        folder.mkdir(parents=True)
        for item in range(100):
            (folder / f"{item}.txt").write_text(f"{number} {item}\n")
    autosota.measure(repository, "--trials", 2, command="run").finished()
