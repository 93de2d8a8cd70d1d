"""What every executor owes, whichever it is: one suite, run through each that starts on this machine."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from autosota.errors import MachineError
from autosota.ports import Command, Execution, Executor, Limits, Tree
from autosota.records import Mount, Recipe
from autosota.sandboxes.bubblewrap import BubblewrapExecutor
from autosota.sandboxes.docker import DockerExecutor
from autosota.sandboxes.landlock import LandlockExecutor
from autosota.sandboxes.local import LocalExecutor

MAKERS: dict[str, Callable[[Path], Executor]] = {
    "bubblewrap": BubblewrapExecutor,
    "bubblewrap-mapped": lambda scratch: BubblewrapExecutor(scratch, drop=False),
    "bubblewrap-no-groups": lambda scratch: BubblewrapExecutor(scratch, groups=False),
    "bubblewrap-copies": lambda scratch: BubblewrapExecutor(scratch, overlays=False),
    "docker": DockerExecutor,
    "docker-copies": lambda scratch: DockerExecutor(scratch, overlays=False),
    "landlock": LandlockExecutor,
    "landlock-no-groups": lambda scratch: LandlockExecutor(scratch, groups=False),
    "landlock-plain": lambda scratch: LandlockExecutor(scratch, namespaces=False),
    "local": LocalExecutor,
    "local-no-groups": lambda scratch: LocalExecutor(scratch, groups=False),
}
SECRET = "AUTOSOTA_TEST_SECRET"
RECIPE = Recipe(digest="test", python=sys.executable, prefix=sys.prefix, paths=(sys.base_prefix,))


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch")


@pytest.fixture(
    scope="module",
    params=[
        # The weaker ways of each sandbox are what other machines have; together they take minutes.
        pytest.param(name, marks=[pytest.mark.live] if "docker" in name else [pytest.mark.slow] if "-" in name else [])
        for name in MAKERS
    ],
)
def executor(request: pytest.FixtureRequest, scratch: Path) -> Executor:
    try:
        return MAKERS[request.param](scratch / request.param)
    except MachineError as error:
        pytest.skip(f"{request.param} does not start here: {error.message}")


@pytest.fixture
def isolated(executor: Executor) -> Executor:
    if not executor.isolated:
        pytest.skip(f"{executor.name} isolates nothing")
    return executor


@pytest.fixture
def base(tmp_path: Path) -> Path:
    folder = tmp_path / "base"
    (folder / "src").mkdir(parents=True)
    (folder / "data").mkdir()
    (folder / "train.py").write_text("print('train')\n")
    (folder / "evaluate.py").write_text("print('evaluate')\n")
    (folder / "src" / "model.py").write_text("SIZE = 1\n")
    (folder / "data" / "labels.csv").write_text("0\n1\n")
    return folder


def do(executor: Executor, base: Path, line: str, **limits: float) -> Execution:
    with executor.open(Tree(base), recipe=RECIPE) as sandbox:
        return sandbox.run(Command(line, limits=Limits(**{"seconds": 60, **limits})))  # type: ignore[arg-type]


def python(code: str) -> str:
    return f"python - <<'END'\n{code}\nEND"


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def alive(marker: str) -> list[int]:
    """Processes whose command line holds the marker."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if marker.encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


# ── one command ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_output_and_exit_code(executor: Executor, base: Path) -> None:
    done = do(executor, base, "echo out; echo err >&2; cat; exit 3")
    assert (done.exit_code, done.stdout, done.stderr, done.ended) == (3, "out\n", "err\n", "exit")
    assert 0 < done.seconds < 60


def test_a_signal_is_128_and_its_number(executor: Executor, base: Path) -> None:
    assert do(executor, base, "kill -SEGV $$").exit_code == 128 + signal.SIGSEGV
    assert do(executor, base, "sh -c 'kill -9 $$'; echo $?").stdout.strip().endswith("137")


def test_starts_in_the_root_of_the_tree(executor: Executor, base: Path) -> None:
    with executor.open(Tree(base), recipe=RECIPE) as sandbox:
        assert sandbox.run(Command("pwd && ls")).stdout == f"{sandbox.root}\ndata\nevaluate.py\nsrc\ntrain.py\n"
        assert not executor.overlays or sandbox.root == "/workspace"


def test_the_environments_python_runs(executor: Executor, base: Path) -> None:
    done = do(executor, base, "python -c 'import sys, encodings, pytest; print(sys.prefix)'")
    assert (done.stderr, done.stdout) == ("", f"{sys.prefix}\n")


def test_variables_come_from_recipe_and_command_only(executor: Executor, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET, "hunter2")
    recipe = RECIPE.model_copy(update={"variables": {"MPLBACKEND": "Agg", "BOTH": "recipe"}})
    with executor.open(Tree(base), recipe=recipe) as sandbox:
        done = sandbox.run(Command("env; cat /proc/self/environ | tr '\\0' '\\n'", {"BOTH": "command", "ODD": "a b\nc'$(id)"}))
    assert "hunter2" not in done.stdout
    assert SECRET not in done.stdout
    assert {"MPLBACKEND=Agg", "BOTH=command", "PYTHONHASHSEED=0", "LANG=C.UTF-8"} <= set(done.stdout.splitlines())
    assert "ODD=a b\nc'$(id)\n" in done.stdout


def test_home_and_temporary_folder_are_writable_and_private(executor: Executor, base: Path) -> None:
    line = 'echo x > "$HOME/file" && echo y > "$TMPDIR/file" && ls "$HOME" "$TMPDIR" && df /dev/shm > /dev/null; echo $HOME'
    with executor.open(Tree(base), recipe=RECIPE) as sandbox:
        assert sandbox.run(Command(line)).exit_code == 0
        assert sandbox.run(Command('cat "$HOME/file"')).stdout == "x\n"
    assert do(executor, base, 'cat "$HOME/file" "$TMPDIR/file"').stdout == ""


def test_undecodable_and_odd_output(executor: Executor, base: Path) -> None:
    assert do(executor, base, "printf '\\377ok\\0end'").stdout == "\N{REPLACEMENT CHARACTER}ok\0end"


def test_a_missing_command_is_a_value(executor: Executor, base: Path) -> None:
    assert do(executor, base, "no-such-program").exit_code == 127


def test_cpu_time_of_the_whole_tree_is_measured(executor: Executor, base: Path) -> None:
    burn = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    done = do(executor, base, f"({python(burn)}\n) & wait; {python(burn)}")
    assert 0.6 <= done.cpu_seconds < 5
    assert done.peak_memory is not None
    assert done.peak_memory > 2**20


# ── the tree ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_changes_are_seen_and_the_base_is_untouched(executor: Executor, base: Path) -> None:
    before = content(base)
    with executor.open(Tree(base), recipe=RECIPE) as sandbox:
        assert sandbox.changed() == ()
        line = "echo new > new; echo 2 >> src/model.py; rm -r data; mkdir -p a/b; echo c > a/b/c; touch train.py; ln -s x link"
        assert sandbox.run(Command(line)).exit_code == 0
        assert set(sandbox.changed()) - {"train.py"} == {"new", "src/model.py", "data/labels.csv", "a/b/c", "link"}
        assert sandbox.read("new") == b"new\n"
        assert sandbox.read("src/model.py") == b"SIZE = 1\n2\n"
        assert sandbox.read("src/model.py", 4) == b"SIZE"
        assert sandbox.read("evaluate.py") == b"print('evaluate')\n"
        assert sandbox.read("data/labels.csv") is None
        assert sandbox.run(Command("cat new && test ! -e data && cat a/b/c")).stdout == "new\nc\n"
    assert content(base) == before
    assert do(executor, base, "ls").stdout == "data\nevaluate.py\nsrc\ntrain.py\n"


def test_a_folder_replaced_by_a_file_and_back(executor: Executor, base: Path) -> None:
    with executor.open(Tree(base), recipe=RECIPE) as sandbox:
        sandbox.run(Command("rm -r data && echo x > data && rm train.py && mkdir train.py && echo y > train.py/z"))
        assert set(sandbox.changed()) == {"data", "data/labels.csv", "train.py", "train.py/z"}
        assert sandbox.read("data") == b"x\n"
        assert sandbox.read("train.py") is None
        sandbox.run(Command("rm data && mkdir data && echo other > data/other"))
        assert set(sandbox.changed()) == {"data/labels.csv", "data/other", "train.py", "train.py/z"}
        assert sandbox.read("data/labels.csv") is None


def test_overlay_and_deletions(executor: Executor, base: Path, tmp_path: Path) -> None:
    overlay = tmp_path / "overlay"
    (overlay / "src").mkdir(parents=True)
    (overlay / "src" / "model.py").write_text("SIZE = 2\n")
    (overlay / "src" / "extra.py").write_text("EXTRA = 1\n")
    tree = Tree(base, overlay=overlay, deleted=("train.py", "data"))
    with executor.open(tree, recipe=RECIPE) as sandbox:
        listed = sandbox.run(Command("find . -type f | sort; cat src/model.py"))
        assert listed.stdout == "./evaluate.py\n./src/extra.py\n./src/model.py\nSIZE = 2\n"
        assert sandbox.changed() == ()
        assert sandbox.read("src/model.py") == b"SIZE = 2\n"
        assert sandbox.read("train.py") is None
        assert sandbox.read("data/labels.csv") is None
        sandbox.run(Command("echo SIZE = 3 > src/model.py; echo again > train.py; mkdir data; echo 7 > data/labels.csv"))
        assert sandbox.changed() == ("data/labels.csv", "src/model.py", "train.py")
    assert (overlay / "src" / "model.py").read_text() == "SIZE = 2\n"


def test_read_only_paths_stay_as_the_base_has_them(executor: Executor, base: Path, tmp_path: Path) -> None:
    before = content(base)
    overlay = tmp_path / "overlay"
    overlay.mkdir()
    (overlay / "evaluate.py").write_text("print('cheat')\n")
    (overlay / "data").write_text("no folder any more\n")
    tree = Tree(base, overlay=overlay, deleted=("data/labels.csv",), read_only=("evaluate.py", "data", "absent.py"))
    cheat = "echo cheat > evaluate.py; mv evaluate.py x; rm -f evaluate.py data/labels.csv; rm -rf data; mv src data; ls"
    with executor.open(tree, recipe=RECIPE) as sandbox:
        assert sandbox.run(Command("cat evaluate.py data/labels.csv")).stdout == "print('evaluate')\n0\n1\n"
        sandbox.run(Command(cheat))
        if getattr(getattr(executor, "mode", None), "namespaces", executor.isolated):
            assert sandbox.run(Command("cat evaluate.py data/labels.csv")).stdout == "print('evaluate')\n0\n1\n"
            assert sandbox.read("evaluate.py") == b"print('evaluate')\n"
        else:
            assert "evaluate.py" in sandbox.changed()
        sandbox.run(Command("echo made > absent.py"))
        assert "absent.py" in sandbox.changed() or sandbox.read("absent.py") is None
    assert content(base) == before


def test_a_protected_modules_bytecode_cache_is_not_believed(isolated: Executor, base: Path) -> None:
    if isolated.name not in ("bubblewrap", "docker"):
        pytest.skip(f"{isolated.name} has no mounts to hide a folder with")
    poison = python(
        "import py_compile, os, importlib.util\n"
        "state = os.stat('evaluate.py')\n"
        "open('fake.py', 'w').write(\"print('poison!!')\\n\")\n"
        "os.utime('fake.py', (state.st_mtime, state.st_mtime))\n"
        "py_compile.compile('fake.py', importlib.util.cache_from_source('evaluate.py'))"
    )
    with isolated.open(Tree(base, read_only=("evaluate.py",)), recipe=RECIPE) as sandbox:
        sandbox.run(Command(f"mkdir -p __pycache__; {poison}"))
        assert sandbox.run(Command("python -c 'import evaluate'")).stdout == "evaluate\n"


def test_mounts(executor: Executor, base: Path, tmp_path: Path) -> None:
    big, out = tmp_path / "big", tmp_path / "out"
    big.mkdir()
    out.mkdir()
    (big / "rows").write_text("rows\n")
    mounts = [Mount(source=str(big), target="data/big"), Mount(source=str(out), target="results", writable=True)]
    with executor.open(Tree(base), recipe=RECIPE, mounts=mounts) as sandbox:
        done = sandbox.run(Command("cat data/big/rows data/labels.csv && echo 1 > results/a; echo x > data/big/rows"))
        assert done.stdout == "rows\n0\n1\n"
        assert sandbox.changed() == ()
    assert (out / "a").read_text() == "1\n"
    assert not executor.isolated or (big / "rows").read_text() == "rows\n"


def test_a_missing_mount_is_an_error_with_a_hint(executor: Executor, base: Path, tmp_path: Path) -> None:
    mounts = [Mount(source=str(tmp_path / "none"), target="data/big")]
    with pytest.raises(MachineError) as raised, executor.open(Tree(base), recipe=RECIPE, mounts=mounts):
        pass
    assert raised.value.hint


def test_changes_are_private_to_a_sandbox(executor: Executor, base: Path) -> None:
    barrier = threading.Barrier(2)

    def work(name: str) -> tuple[str, tuple[str, ...], str]:
        with executor.open(Tree(base), recipe=RECIPE) as sandbox:
            sandbox.run(Command(f"echo {name} > own; echo {name} > train.py; echo {name} > /tmp/own-$$"))
            barrier.wait(30)
            return sandbox.run(Command("cat own train.py")).stdout, sandbox.changed(), sandbox.root

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(work, ["one", "two"])
    assert first[:2] == ("one\none\n", ("own", "train.py"))
    assert second[:2] == ("two\ntwo\n", ("own", "train.py"))


def test_sandboxes_one_after_another_see_the_same_path(executor: Executor, base: Path) -> None:
    assert do(executor, base, "pwd").stdout == do(executor, base, "pwd").stdout


# ── reading what untrusted commands left ──────────────────────────────────────────────────────────────────────────────


def test_read_never_leaves_the_tree(executor: Executor, base: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("secret\n")
    with executor.open(Tree(base), recipe=RECIPE) as sandbox:
        sandbox.run(
            Command(
                f"ln -s {tmp_path}/outside link; ln -s {tmp_path} folder; ln -s /etc/passwd absolute; ln -s train.py inner; "
                "ln -s . loop; mkfifo fifo; mkdir sub; ln -s ../../../../../../../../etc sub/up"
            )
        )
        paths = ["link", "folder/outside", "absolute", "inner", "loop/train.py", "fifo", "sub", "sub/up/passwd", "none"]
        paths += ["../outside", "sub/../../outside", "/etc/passwd", "", ".", "a\0b", str(tmp_path / "outside")]
        assert {path: sandbox.read(path) for path in paths} == dict.fromkeys(paths)
        assert sandbox.read("./train.py") == b"print('train')\n"


def test_odd_file_names(executor: Executor, base: Path) -> None:
    names = [b"caf\xe9", b"new\nline", b" lead", b"-rf", b"a:b,c\\d", b"*", "日本".encode(), b"x" * 255]
    code = f"for name in {names!r}:\n    open(name, 'wb').write(b'odd')"
    with executor.open(Tree(base), recipe=RECIPE) as sandbox:
        assert sandbox.run(Command(python(code))).exit_code == 0
        expected = [os.fsdecode(name) for name in names]
        assert sorted(sandbox.changed()) == sorted(expected)
        assert [sandbox.read(name) for name in expected] == [b"odd"] * len(names)


def test_deleting_the_own_tree(executor: Executor, base: Path) -> None:
    before = content(base)
    with executor.open(Tree(base), recipe=RECIPE) as sandbox:
        sandbox.run(
            Command(
                'rm -rf . ./* ./.[!.]* "$PWD"; echo survived; rm -rf /tmp/* 2>/dev/null' if executor.isolated else "rm -rf ./*"
            )
        )
        assert sandbox.changed() == ("data/labels.csv", "evaluate.py", "src/model.py", "train.py")
        assert sandbox.run(Command("ls -A")).exit_code == 0
    assert content(base) == before


def test_nothing_is_left_of_hostile_trees(executor: Executor, base: Path, tmp_path: Path, scratch: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("keep")
    code = "import os\nfor _ in range(150):\n    os.mkdir('d'); os.chdir('d')\nopen('deep', 'w').close()"
    with executor.open(Tree(base), recipe=RECIPE) as sandbox:
        lines = f"mkdir -p no/no; touch no/no/x; chmod 000 no/no no; ln -s {tmp_path}/precious gone; {python(code)}"
        assert sandbox.run(Command(lines)).exit_code == 0
    left = [path for path in scratch.rglob("*") if path.name in {"no", "gone", "d", "workspace", "upper"}]
    assert left == []
    assert (tmp_path / "precious" / "file").read_text() == "keep"


# ── limits ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_timeout_ends_daemons_that_ignore_signals(executor: Executor, base: Path) -> None:
    marker = f"7{os.getpid()}{time.time_ns() % 10**9}"
    code = (
        "import os, signal, sys, time\n"
        "for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT): signal.signal(number, signal.SIG_IGN)\n"
        "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        f"        os.closerange(0, 3)\n        os.execvpe('sleep', ['sleep', '{marker}'], {{'PATH': os.environ['PATH']}})\n"
        "    os._exit(0)\n"
        f"print('begun', flush=True)\nos.execvp('sleep', ['sleep', '{marker}'])"
    )
    done = do(executor, base, python(code), seconds=1)
    assert (done.ended, done.stdout) == ("timeout", "begun\n")
    assert done.exit_code == 128 + signal.SIGKILL
    assert alive(marker) == []


def test_nothing_outlives_a_command_that_ends(executor: Executor, base: Path) -> None:
    marker = f"8{os.getpid()}{time.time_ns() % 10**9}"
    done = do(executor, base, f"(setsid sleep {marker} &) ; (trap '' TERM; env -i /bin/sleep {marker}) & echo done")
    assert (done.exit_code, done.stdout, done.ended) == (0, "done\n", "exit")
    assert alive(marker) == []


def test_cpu_limit(executor: Executor, base: Path) -> None:
    done = do(executor, base, "while :; do :; done & while :; do :; done", cpu_seconds=0.5)
    assert done.ended == "cpu"
    assert done.cpu_seconds >= 0.5


def test_memory_limit(executor: Executor, base: Path) -> None:
    code = "import time\nkeep = []\nwhile True:\n    keep.append(bytearray(2**24)); time.sleep(0.01)"
    done = do(executor, base, python(code), memory=2**28)
    assert done.ended == "memory"
    assert done.peak_memory is not None
    assert done.peak_memory < 2**30


def test_process_limit(executor: Executor, base: Path) -> None:
    marker = f"9{os.getpid()}{time.time_ns() % 10**9}"
    done = do(executor, base, f"i=0; while [ $i -lt 200 ]; do sleep {marker} & i=$((i+1)); done; wait", processes=40)
    assert done.ended == "processes"
    assert alive(marker) == []


def test_fork_bomb(isolated: Executor, base: Path) -> None:
    if os.geteuid() == 0 and isolated.name == "landlock" and not isolated.mode.groups:  # type: ignore[attr-defined]
        pytest.skip(
            "without control groups nothing bounds the processes of a user that is root outside; a watchdog ends them late"
        )
    marker = f"6{os.getpid()}{time.time_ns() % 10**9}"
    done = do(isolated, base, f": {marker}; f() {{ f | f & }}; f; sleep 60", processes=64, seconds=10)
    assert done.ended in {"processes", "timeout"} or "Cannot fork" in done.stderr
    assert alive(marker) == []


def test_disk_limit(executor: Executor, base: Path) -> None:
    line = "i=0; while :; do head -c 4000000 /dev/zero > {}/$i || exit 9; i=$((i+1)); sleep 0.01; done"
    for folder in ("results", '"$TMPDIR"'):
        assert do(executor, base, f"mkdir -p {folder}; {line.format(folder)}", disk=2**25).ended == "disk"


def test_one_large_file_hits_the_disk_limit(executor: Executor, base: Path) -> None:
    done = do(executor, base, "head -c 300000000 /dev/zero > large; echo $?", disk=2**24)
    assert done.ended == "disk" or done.stdout.strip() != "0"


def test_a_gigabyte_of_output(executor: Executor, base: Path) -> None:
    done = do(executor, base, "echo first; head -c 1000000000 /dev/zero; echo last", output=2**25)
    assert (done.ended, done.exit_code) == ("exit", 0)
    assert done.stdout.startswith("first\n")
    assert done.stdout.endswith("last\n")
    assert len(done.stdout) < 2**25 + 100


def test_output_beyond_all_measure(executor: Executor, base: Path) -> None:
    done = do(executor, base, "yes >&2", output=2**16)
    assert done.ended == "output"
    assert len(done.stderr) < 2**16 + 100


def test_silence_after_enough(executor: Executor, base: Path) -> None:
    seen: list[str] = []

    def enough(output: str) -> bool:
        seen.append(output)
        return "score: 1" in output

    line = "echo begin; sleep 0.5; echo score: 1; sleep 600"
    with executor.open(Tree(base), recipe=RECIPE) as sandbox:
        done = sandbox.run(Command(line, limits=Limits(seconds=60), until=enough, quiet=0.2))
    assert done.ended == "silence"
    assert done.stdout == "begin\nscore: 1\n"
    assert seen[-1] == done.stdout


def test_never_silent_is_never_asked(executor: Executor, base: Path) -> None:
    with executor.open(Tree(base), recipe=RECIPE) as sandbox:
        done = sandbox.run(Command("echo x", until=lambda output: pytest.fail("asked"), quiet=30))
    assert done.ended == "exit"


def test_an_error_in_until_ends_the_command(executor: Executor, base: Path) -> None:
    marker = f"5{os.getpid()}{time.time_ns() % 10**9}"
    with executor.open(Tree(base), recipe=RECIPE) as sandbox, pytest.raises(ZeroDivisionError):
        sandbox.run(Command(f"sleep {marker}", until=lambda output: 1 // 0 == 0, quiet=0.1))
    assert alive(marker) == []


def test_closing_from_another_thread_stops_the_command(executor: Executor, base: Path) -> None:
    results: list[Execution] = []
    begun = threading.Event()
    with executor.open(Tree(base), recipe=RECIPE) as sandbox:
        command = Command("sleep 600", limits=Limits(seconds=60), until=lambda output: begun.set() or False, quiet=0.05)
        thread = threading.Thread(target=lambda: results.append(sandbox.run(command)))
        thread.start()
        assert begun.wait(30)
    thread.join(30)
    assert [result.ended for result in results] == ["stopped"]


def test_after_a_limit_the_sandbox_still_works(executor: Executor, base: Path) -> None:
    with executor.open(Tree(base), recipe=RECIPE) as sandbox:
        assert sandbox.run(Command("echo kept > kept; sleep 60", limits=Limits(seconds=0.3))).ended == "timeout"
        assert sandbox.run(Command("cat kept")).stdout == "kept\n"


# ── isolation ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_no_network(isolated: Executor, base: Path, listener: int) -> None:
    code = (
        "import socket\n"
        f"for kind, address in ((1, ('127.0.0.1', {listener})), (1, ('192.0.2.1', 80)), (2, ('192.0.2.1', 53))):\n"
        "    try:\n"
        "        s = socket.socket(socket.AF_INET, kind); s.settimeout(2); s.connect(address); s.send(b'x'); print('sent')\n"
        "    except OSError as error: print('refused')"
    )
    assert do(isolated, base, python(code)).stdout == "refused\n" * 3


def test_host_files_are_hidden(isolated: Executor, base: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "secret").chmod(0o666)
    places = [str(tmp_path / "secret"), str(Path.home()), "/root", "/home", __file__, "/etc/shadow", "/proc/1/environ"]
    code = (
        f"import os\nfor place in {places!r}:\n"
        "    try:\n        seen = os.listdir(place) if os.path.isdir(place) else open(place, 'rb').read()\n"
        "    except OSError: continue\n"
        "    if place != '/proc/1/environ' and not set(seen) <= {'.pyenv'}: print(place, seen)\n"
        f"os.environ.get({SECRET!r}) and print('environment')"
    )
    assert do(isolated, base, python(code)).stdout == ""


def test_nothing_outside_can_be_written(isolated: Executor, base: Path, tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    places = [
        str(tmp_path / "open" / "x"),
        "/usr/x",
        "/etc/x",
        "/x",
        "/root/x",
        "/var/x",
        f"{sys.prefix}/x",
        f"{sys.base_prefix}/x",
        "/dev/x",
    ]
    code = f"for place in {places!r}:\n    try:\n        open(place, 'w'); print(place)\n    except OSError: pass"
    assert do(isolated, base, python(code)).stdout == ""


def test_no_root_and_no_capabilities(isolated: Executor, base: Path) -> None:
    assert int(do(isolated, base, "id -u").stdout) != 0
    code = (
        "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "header, data = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()\n"
        "assert libc.capget(header, data) == 0\nprint(list(data)[:2], libc.prctl(39, 0, 0, 0, 0), libc.prctl(21, 0, 0, 0, 0))"
    )
    assert do(isolated, base, python(code)).stdout == "[0, 0] 1 2\n"


def test_namespaces_tracing_and_mounts_are_refused(isolated: Executor, base: Path) -> None:
    code = (
        "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "print(libc.unshare(0x10000000), libc.unshare(0x20000), end=' ')\n"
        "print(libc.ptrace(0, 0, 0, 0), libc.mount(b'x', b'/tmp', b'tmpfs', 0, 0))\n"
        "try: os.setuid(0); print('root')\nexcept OSError: pass"
    )
    assert do(isolated, base, python(code)).stdout == "-1 -1 -1 -1\n"


def test_other_processes_are_out_of_reach(isolated: Executor, base: Path) -> None:
    done = do(
        isolated,
        base,
        f"kill -0 {os.getpid()} && echo reached; kill -0 {os.getppid()} && echo reached; cat /proc/{os.getpid()}/environ",
    )
    assert done.stdout == ""


def test_threads_and_child_processes_work(executor: Executor, base: Path) -> None:
    code = (
        "import threading, subprocess, multiprocessing, os, socket\n"
        "if __name__ == '__main__':\n"
        "    thread = threading.Thread(target=print, args=('thread',), kwargs={'flush': True}); thread.start(); thread.join()\n"
        "    with multiprocessing.get_context('fork').Pool(2) as pool: print(sum(pool.map(abs, [-1, -2])), flush=True)\n"
        "    print(subprocess.run(['sh', '-c', 'echo child'], capture_output=True, text=True).stdout, end='')\n"
        "    a, b = socket.socketpair(); a.send(b'pair'); print(b.recv(9).decode())"
    )
    done = do(executor, base, python(code))
    assert (done.stdout, done.stderr) == ("thread\n3\nchild\npair\n", "")
