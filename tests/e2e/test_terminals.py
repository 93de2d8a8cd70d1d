"""Whatever standard streams, locale and user there are."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import kit
from tests.kit import CommandLine

GOOD = '# Größe und Maß: 日本\nSCALE = 0.5\nprint("accuracy:", 0.5 + SCALE / 10)\n'


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """One that runs, with names that are not ASCII."""
    return kit.write(tmp_path / "répertoire", {"evaluate.py": GOOD, "données.yaml": "größe: 3\n"})


@pytest.mark.parametrize(
    "variables",
    [
        {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
        {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"TERM": "dumb", "COLUMNS": "1"},
        {"NO_COLOR": "1", "TERM": ""},
    ],
)
def test_any_locale(autosota: CommandLine, repository: Path, variables: dict[str, str]) -> None:
    """Everything is told and every report written, in characters the stream has."""
    environment = {**autosota.variables, **variables}
    autosota.measure(repository, "--trials", 2, command="run", env=environment).finished()
    out = str(autosota.folder / "out")
    for words in (
        ["show", out],
        ["show", out, "1"],
        ["report", out],
        ["list", str(autosota.folder)],
        ["run", repository, "--task", "ü.toml"],
    ):
        ended = autosota.run(*words, env=environment)
        assert ended.code in (0, 2)
        assert "Traceback" not in ended.stderr
        assert ended.stdout or "hint:" in ended.stderr


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_closed_streams(autosota: CommandLine, repository: Path, closed: str) -> None:
    ended = autosota.measure(repository, prefix=("sh", "-c", f'exec "$@" {closed}', "sh"))
    assert ended.code == 0
    assert "Traceback" not in ended.stderr
    if "1>&-" not in closed:
        assert json.loads(ended.stdout)["metrics"][0]["mean"] == 0.55
    assert len(autosota.ledger()) == 2


def test_reader_that_leaves(autosota: CommandLine, repository: Path) -> None:
    """`| head -1` ends neither the run nor its exit code."""
    autosota.measure(repository).finished()
    words = f"{sys.executable} -m autosota.cli show {autosota.folder}/out; echo $? > {autosota.folder}/code"
    done = subprocess.run(
        ["sh", "-c", f"({words}) | head -c 1"], capture_output=True, env=autosota.variables, timeout=60, check=True
    )
    assert (autosota.folder / "code").read_text() == "0\n"
    assert done.stderr == b""
    words = f"{sys.executable} -m autosota.cli replicate {repository} --out {autosota.folder}/second --python {sys.executable}"
    shell = f"({words} 2>&1; echo $? > {autosota.folder}/code) | head -1"
    subprocess.run(["sh", "-c", shell], capture_output=True, env=autosota.variables, timeout=60, check=True)
    assert (autosota.folder / "code").read_text() == "0\n"


def test_on_a_terminal(autosota: CommandLine, repository: Path) -> None:
    """Live progress on stderr does not mix with the object on stdout."""
    ours, theirs = pty.openpty()
    process = autosota.start(
        "replicate", repository, "--python", sys.executable, "--seeds", 2, "--out", autosota.folder / "out", "--json",
        stderr=theirs, stdin=theirs, env={**autosota.variables, "TERM": "xterm-256color"},
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    ended = autosota.end(process)
    os.close(ours)
    assert ended.finished()["metrics"][0]["mean"] == 0.55
    assert b"baseline" in shown
    assert b"\x1b[" in shown


def test_unprivileged_user(autosota: CommandLine, repository: Path) -> None:
    """The same run for somebody without rights, in a folder of theirs."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("tests run unprivileged anyway, or there is no setpriv")
    user = 45_321
    place = Path("/tmp") / f"autosota-test-{autosota.marker}"
    place.mkdir()
    try:
        shutil.copytree(repository, place / "repository")
        for path in (place, *place.rglob("*")):
            os.chown(path, user, user)
        drop = ("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--")
        if subprocess.run(
            [*drop, sys.executable, "-c", "import autosota, os, sys; os.stat(sys.executable)"], capture_output=True, check=False
        ).returncode:
            pytest.skip("that user cannot read this interpreter")
        variables = {**autosota.variables, "HOME": str(place), "AUTOSOTA_CACHE": str(place / "cache"),
                     "AUTOSOTA_STATE": str(place / "state"), "TMPDIR": str(place)}  # fmt: skip
        flags = ("--python", sys.executable, "--seeds", 2, "--trials", 2, "--json")
        ended = autosota.run("run", place / "repository", *flags, "--out", place / "out", prefix=drop, env=variables, cwd=place)
        assert ended.finished()["assurance"] in ("guarded", "observed")
        os.chown(place, 0, 0)
        place.chmod(0o755)
        ended = autosota.run("run", place / "repository", *flags, "--out", place / "new", prefix=drop, env=variables, cwd=place)
        ended.failed(2, "--out")
    finally:
        shutil.rmtree(place, ignore_errors=True)
