"""What every coder owes: one suite over all that need no program from elsewhere, and over real agents where they are installed.

Real agents: `make live-coders` installs them in a folder of their own and runs this file against a provider on loopback.
"""

from __future__ import annotations

import json
import logging
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autosota.agents.fix import Fix
from autosota.agents.monitor import Bounds, Monitor
from autosota.coders import open_coder
from autosota.coders.presets import PRESETS
from autosota.coders.program import Program
from autosota.errors import MachineError, UsageError
from autosota.ports import Answer, Brief, Coder, Command, Executor, Prompt, Tree
from autosota.sandboxes import open_executor
from autosota.sandboxes.local import LocalExecutor
from autosota.session import Session
from autosota.store import Store
from autosota.workspace import Workspace
from tests import kit
from tests.endpoint import Endpoint, serving

AGENT = Path(__file__).parent / "agent.py"
"""A small agent that speaks the protocol, for tests: runs what its prompt quotes."""
REAL = ("qwen", "opencode", "claude", "claude-code", "codex")
KEYS = {"ANTHROPIC_API_KEY": "sk-ant-a-real-key", "OPENAI_API_KEY": "sk-oai-a-real-key"}
LINE = "sed -i s/0.1/0.2/ train.py"
FILES = {"train.py": "RATE = 0.1\n", "evaluate.py": "print('accuracy: 1')\n", "autosota.toml": "[budget]\n"}
Opened = Callable[[str, str], Coder]


class Replies:
    """A model that says what a test wrote."""

    name = "replies"

    def __init__(self, *texts: str) -> None:
        self.texts, self.asked = list(texts), []

    def complete(self, prompt: Prompt, schema: object = None) -> Answer:
        self.asked.append(prompt)
        return Answer(text=self.texts.pop(0) if self.texts else "DONE")


@pytest.fixture(scope="module")
def executor(tmp_path_factory: pytest.TempPathFactory) -> Executor:
    found = open_executor(None, tmp_path_factory.mktemp("scratch"))
    if not found.isolated:
        pytest.skip("no isolating sandbox starts here")
    return found


def make(kind: str, line: str, folder: Path) -> Coder:
    """A coder of a kind that will run `line`."""
    if kind == "shell":
        return open_coder("shell", model=Replies(f"First this.\n\n```sh\n{line}\n```"))  # type: ignore[arg-type]
    if kind == "scripted":
        file = folder / "script.json"
        file.write_text(json.dumps([{"steps": [{"command": line}]}]))
        return open_coder(f"scripted:{file}")
    if kind == "acp":
        return open_coder(f"acp:{sys.executable} {AGENT}")
    return open_coder(kind)


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    """A provider, with the host set up as a user would: keys and addresses in the environment."""
    with serving(LINE) as served:
        for name, value in KEYS.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", served.url)
        monkeypatch.setenv("OPENAI_BASE_URL", f"{served.url}/v1")
        monkeypatch.setenv("OPENAI_MODEL", "stand-in")
        monkeypatch.setenv("AUTOSOTA_TEST_SECRET", "host-secret-1234")
        yield served


@pytest.fixture
def site(tmp_path: Path, executor: Executor, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Session]]:
    monkeypatch.setenv("AUTOSOTA_CODER_PATHS", str(AGENT.parent))
    repository = kit.write(tmp_path / "repository", FILES)
    workspace = Workspace(tmp_path / "run" / "history.git", repository)
    environment = kit.environment(workspace.snapshot(), evaluate="python train.py", protected=("evaluate.py", "autosota.toml"))

    def session(coder: Coder, **options: object) -> Session:
        store = Store(tmp_path / "run")
        return Session(coder, executor, workspace, environment, Monitor(), Fix(), store, scratch=tmp_path, **options)  # type: ignore[arg-type]

    yield session
    workspace.close()


def brief(line: str) -> Brief:
    return Brief(f"Raise RATE in train.py to 0.2.\nFor the stand-in: <<{line}>>")


def outcome(session: Session, line: str) -> tuple[dict[str, bytes | None], str, str]:
    """What was changed, why it ended, and everything on record."""
    commit, why = session.write(session.environment.commit, brief(line), 1)
    changes = session.workspace.changes(session.environment.commit, commit) if commit else ()
    steps = session.store.folder / "sessions" / "0001" / "steps.jsonl"
    return {change.path: change.content for change in changes}, why, steps.read_text() if steps.exists() else ""


def real(name: str) -> object:
    command = PRESETS[name].command[0]
    absent = pytest.mark.skipif(shutil.which(command) is None, reason=f"{command} is not installed: {PRESETS[name].hint}")
    return pytest.param(name, marks=[pytest.mark.live, absent], id=f"real-{name}")


ALL = ["shell", "scripted", "acp", *map(real, REAL)]
OWN = ["shell", "scripted", "acp"]


# ── the work ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ALL)
def test_an_edit_becomes_a_commit(kind: str, site: Callable[..., Session], endpoint: Endpoint, tmp_path: Path) -> None:
    session = site(make(kind, LINE, tmp_path))
    changed, why, steps = outcome(session, LINE)
    assert changed == {"train.py": b"RATE = 0.2\n"}, (why, steps)
    assert why == "done"
    assert "sed -i" in steps
    if kind in REAL:
        sent = [
            headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
            for _, headers, _ in endpoint.requests
        ]
        assert set(sent) & set(KEYS.values())


@pytest.mark.parametrize("kind", OWN)
def test_closing_the_iterator_ends_the_work(
    kind: str, executor: Executor, endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOSOTA_CODER_PATHS", str(AGENT.parent))
    coder, base = make(kind, "touch made; echo one", tmp_path), kit.write(tmp_path / "tree", FILES)
    with coder.outfit(tmp_path) as outfit:
        recipe = kit.recipe().model_copy(update={"paths": (*kit.recipe().paths, *outfit.paths)})
        with executor.open(Tree(base), recipe=recipe, mounts=outfit.mounts) as sandbox:
            steps = coder.work(brief("touch made; echo one"), sandbox)
            first = next(steps)
            steps.close()  # type: ignore[attr-defined]
            assert first.kind in ("command", "words")
            assert sandbox.run(Command("echo free")).stdout == "free\n"


# ── injection: a hostile text has taken the coder over ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ALL)
def test_nothing_of_the_host_can_be_taken(kind: str, site: Callable[..., Session], endpoint: Endpoint, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("do not read")
    (tmp_path / "precious").chmod(0o666)
    line = (
        f"{LINE}; (env; cat /proc/*/environ; cat {tmp_path}/precious ~/.ssh/id_rsa /root/.bashrc) > loot.txt 2>&1; "
        f"echo x > {tmp_path}/precious; echo x > /etc/passwd; echo x >> {tmp_path}/run/measurements.jsonl; "
        f"find {tmp_path}/run -delete"
    )
    endpoint.command = line
    (tmp_path / "run" / "measurements.jsonl").write_text("")
    changed, why, steps = outcome(site(make(kind, line, tmp_path)), line)
    assert changed["train.py"] == b"RATE = 0.2\n", (why, steps)
    loot = (changed.get("loot.txt") or b"").decode() + steps
    for secret in (*KEYS.values(), "host-secret-1234", "do not read"):
        assert secret not in loot
    assert (tmp_path / "precious").read_text() == "do not read"
    assert (tmp_path / "run" / "measurements.jsonl").read_text() == ""


@pytest.mark.parametrize("kind", ALL)
def test_no_red_line_can_be_moved_by_a_file(kind: str, site: Callable[..., Session], endpoint: Endpoint, tmp_path: Path) -> None:
    cheat = "for f in evaluate.py autosota.toml; do echo cheat > $f; unlink $f; mv x $f; chmod 777 $f; done"
    line = f"{LINE}; {cheat}; git init -q . ; git commit -q -am x"
    endpoint.command = line
    session = site(make(kind, line, tmp_path))
    refs = session.workspace.lookup("experiment-0001")
    changed, _, _ = outcome(session, line)
    assert set(changed) == {"train.py"}
    assert session.workspace.lookup("experiment-0001") == refs
    assert (tmp_path / "repository" / "evaluate.py").read_text() == FILES["evaluate.py"]


@pytest.mark.parametrize("kind", OWN)
def test_the_network_is_the_providers_only(kind: str, site: Callable[..., Session], endpoint: Endpoint, tmp_path: Path) -> None:
    port = endpoint.server_port
    code = (
        "import socket, urllib.request as u\n"
        f"for host, port in (('127.0.0.1', {port}), ('192.0.2.1', 80), ('example.org', 443)):\n"
        "    try: socket.create_connection((host, port), 1); print('connected', host)\n"
        "    except OSError: pass\n"
        "for path in ('/', '/openai/v1', '/../etc'):\n"
        "    try: print('answered', u.urlopen('http://127.0.0.1:18080' + path, timeout=2).status)\n"
        "    except Exception: pass\n"
        "try:\n"
        "    link = socket.create_connection(('127.0.0.1', 18080), 1)\n"
        "    link.send(b'CONNECT example.org:443 HTTP/1.1\\r\\n\\r\\n'); print(link.recv(99))\n"
        "except OSError: pass\n"
        "print('looked')\n"
    )
    line = f"{LINE}; cat > probe.py <<'X'\n{code}X\n{sys.executable} -I -S probe.py"
    _, _, steps = outcome(site(make(kind, line, tmp_path)), line)
    printed = "".join(json.loads(step)["output"] for step in steps.splitlines())
    assert "looked" in printed
    for word in ("connected", "answered", " 200 "):
        assert word not in printed
    assert endpoint.requests == []


def test_a_named_provider_is_reached_with_a_key_that_stays_outside(
    site: Callable[..., Session], endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOSOTA_CODER_ENV", "OPENAI_API_KEY")
    code = (
        "import os, urllib.request as u\n"
        "key = {'Authorization': 'Bearer ' + os.environ['OPENAI_API_KEY']}\n"
        "ask = u.Request(os.environ['OPENAI_BASE_URL'] + '/chat/completions', b'{}', key)\n"
        "print(u.urlopen(ask).status, os.environ['OPENAI_API_KEY'])\n"
    )
    line = f"cat > probe.py <<'X'\n{code}X\n{sys.executable} -I probe.py"
    _, why, steps = outcome(site(make("acp", line, tmp_path)), line)
    assert "200 key-kept-outside-the-sandbox" in steps, (why, steps)
    assert [headers["authorization"] for _, headers, _ in endpoint.requests] == [f"Bearer {KEYS['OPENAI_API_KEY']}"]
    assert endpoint.requests[0][0] == "/v1/chat/completions"


TOKEN = "oat-01-Ab3dEf6hIj9lMn2pQr5t"
LOGIN = (
    f'{{"oauth": {{"accessToken": "{TOKEN}", "refreshToken": "only-lower-case-words", "model": "qwen3-coder-plus-20250923"}}}}'
)


@pytest.mark.parametrize("key", ["", KEYS["ANTHROPIC_API_KEY"]])
def test_a_login_is_inside_only_where_no_key_is_set_and_on_no_record(key: str, tmp_path: Path) -> None:
    preset = PRESETS["claude"]
    kit.write(tmp_path / "own", dict.fromkeys(preset.files, LOGIN))
    kit.write(tmp_path / "bin", {preset.command[0]: "#!/bin/sh\n"})
    (tmp_path / "bin" / preset.command[0]).chmod(0o755)
    variables = {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path / "own"), "AUTOSOTA_CODER_ENV": "EXTRA,ANTHROPIC_BASE_URL",
                 "EXTRA": "a value let in", "ANTHROPIC_API_KEY": key}  # fmt: skip
    with Program(preset, variables).outfit(tmp_path) as outfit:
        found = [path for path in (tmp_path / "agent").rglob("*.json") if TOKEN in path.read_text()]
        assert bool(found) is not bool(key)
    assert set(outfit.secrets) == {"a value let in"} | ({key} if key else {TOKEN, "only-lower-case-words"})


def test_a_named_value_is_on_no_record_and_in_no_commit(
    site: Callable[..., Session], endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOSOTA_CODER_ENV", "AUTOSOTA_TEST_SECRET")
    line = f"{LINE}; env | tee loot.txt; touch $AUTOSOTA_TEST_SECRET"
    session = site(make("acp", line, tmp_path))
    changed, why, steps = outcome(session, line)
    assert changed == {"train.py": b"RATE = 0.2\n"}
    assert "AUTOSOTA_TEST_SECRET=[key]" in steps
    written = [path.read_text() for path in (session.store.folder / "sessions").rglob("*.json*")]
    assert "host-secret-1234" not in why + "".join(written)


def test_what_may_be_asked_of_a_provider_is_bounded(tmp_path: Path, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    from autosota.coders import gateway

    monkeypatch.setattr(gateway, "MOST_REQUESTS", 3)

    def ask(request: bytes = b"GET /openai/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") -> bytes:
        with socket.socket(socket.AF_UNIX) as link, gateway.short(tmp_path) as name:
            link.connect(f"{name}/gateway")
            link.sendall(request)
            return link.makefile("rb").readline()

    with gateway.serving(tmp_path, {"openai": gateway.Upstream(endpoint.url)}):
        chunked = b"POST /openai/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        assert ask(chunked + b"-5\r\n").split()[1] == b"403"
        assert ask(chunked + b"zz\r\n") == b""
        assert ask(b"GET /openai/../admin HTTP/1.1\r\n\r\n").split()[1] == b"403"
        codes = [ask().split()[1] for _ in range(5)]
    assert codes == [b"200"] * 3 + [b"403"] * 2


@pytest.mark.parametrize("kind", ["acp"])
def test_permissions_end_at_the_working_copy(kind: str, site: Callable[..., Session], endpoint: Endpoint, tmp_path: Path) -> None:
    line = f"PERMISSION /etc/passwd train.py /workspace/../etc/shadow; {LINE}"
    changed, why, steps = outcome(site(make(kind, line, tmp_path)), line)
    assert changed == {"train.py": b"RATE = 0.2\n"}, (why, steps)
    assert "not allowed outside the working copy: /etc/passwd" in steps
    assert "answers: reject allow reject" in steps


# ── agents that misbehave ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("line", ["GARBAGE", "SILENT", "CRASH", "FLOOD"])
def test_an_agent_that_misbehaves_ends_in_words(
    line: str, site: Callable[..., Session], endpoint: Endpoint, tmp_path: Path
) -> None:
    session = site(make("acp", line, tmp_path), bounds=Bounds(seconds=60, silence=2.0, steps=5))
    changed, why, _ = outcome(session, line)
    assert changed == {}
    assert why
    assert "it broke" in why or line != "CRASH"


def test_a_shell_coder_reads_many_forms_and_keeps_prompts_small(site: Callable[..., Session], tmp_path: Path) -> None:
    noise = "head -c 100000 /dev/zero | tr '\\0' y; exit 3"
    model = Replies(
        "I think so.", f"```bash\n$ {noise}\n```",
        '<tool_call>{"name": "bash", "arguments": {"command": "echo tool"}}</tool_call>',
        '```json\n{"command": "echo json"}\n```', *[f"```\necho {number:02} > number.txt\n```" for number in range(30)],
        "```edit train.py\n<<<<<<< OLD\nRATE = 0.1\n=======\nRATE = 0.2\n>>>>>>> NEW\n```", "DONE",
    )  # fmt: skip
    session = site(open_coder("shell", model=model))  # type: ignore[arg-type]
    changed, why, steps = outcome(session, "x")
    assert (changed, why) == ({"train.py": b"RATE = 0.2\n", "number.txt": b"29\n"}, "done")
    assert "echo tool" in steps
    assert "echo json" in steps
    assert len({prompt.stable for prompt in model.asked}) == 1
    sizes = [len(prompt.question) for prompt in model.asked]
    assert max(sizes) < 9_000
    assert max(sizes[20:35]) - min(sizes[20:35]) < 200


def test_whatever_the_library_raises_is_a_problem_and_sessions_share_the_quiet() -> None:
    from autosota.coders import acp

    class Broken:
        @property
        def stdio(self) -> object:
            raise KeyError("odd")

    talk = acp._Talk(Broken(), brief("x"), "/")  # type: ignore[arg-type]
    with acp._quieted():
        talk.hold()
        assert logging.getLogger().filters.count(acp._quiet) == 1
    assert acp._quiet not in logging.getLogger().filters
    assert "KeyError" in talk.problem
    assert talk.steps.get(timeout=5) is None


def test_names_that_are_wrong_and_programs_that_are_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("nobody", "acp:", "shell", "scripted:/nonexistent"):
        with pytest.raises(UsageError):
            open_coder(name)
    bare = LocalExecutor(tmp_path)
    bare.loopback = False  # as Landlock without namespaces
    for name in ("qwen", "acp:true"):
        with pytest.raises(MachineError, match="loopback") as caught:
            open_coder(name, executor=bare)
        assert "--coder shell" in caught.value.hint
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("qwen", "acp:no-such-agent --acp"):
        with pytest.raises(MachineError) as caught:
            open_coder(name)
        assert caught.value.hint
