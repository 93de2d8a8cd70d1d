"""Models as a user meets them: names, caps and servers that are wrong end a command before it spends; keys appear nowhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import BaseModel

from autosota import compose, config
from autosota.ask import usage
from autosota.cli import main
from autosota.errors import UsageError
from autosota.progress import Progress
from autosota.records import Cost
from autosota.report import markdown
from autosota.report.facts import gather
from autosota.store import Store
from tests.model_server import ModelServer, serving

KEY = "sk-secret-of-the-user"


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, str]]:
    code = main([*words, "--json", "--quiet"])
    return code, json.loads(capsys.readouterr().out).get("error", {})


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--model", "gpt-5"], "openai:gpt-5"),
        (["--model", "anthropic:claude"], "ANTHROPIC_API_KEY"),
        (["--model", "ideator=scripted:nowhere"], "JSON lines"),
        (["--model", "ideater=openai:x"], "ideator"),
        (["--model", "http://127.0.0.1:9/v1#x"], "start the server"),
        (["--model", "ollama:x", "--model", "openai:y"], "keep one"),
        (["--model", ""], "NAME"),
    ],
)
def test_a_model_that_cannot_be_asked_ends_the_command_before_it_starts(
    words: list[str], hint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "OPENAI_API_KEY",
        "ANTHROPIC_API_KEY",
        "OPENAI_BASE_URL",
        "ANTHROPIC_BASE_URL",
        "OLLAMA_HOST",
        "OLLAMA_BASE_URL",
    ):
        monkeypatch.delenv(name, raising=False)
    code, error = told(capsys, "demo", "--out", str(tmp_path / "run"), *words)
    assert code == 2
    assert hint in f"{error['message']} / {error['hint']}"
    assert not (tmp_path / "run" / "run.toml").exists()


def test_a_cap_needs_a_price(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving() as server:
        code, error = told(capsys, "demo", "--out", str(tmp_path / "run"), "--model", f"{server.url}#small", "--cost", "1")
    assert code == 2
    assert "@0/0" in error["hint"]
    assert not server.asked


class Answer(BaseModel):
    words: str


def opened(folder: Path, server: ModelServer, *more: str) -> compose.Ask | None:
    resolved = config.resolve({"repository": str(folder), "model": (f"{server.url}#small@1/2", *more), "cost": 1.0})
    with Progress.open(None, quiet=True) as live:  # type: ignore[arg-type]
        return compose.open_ask(resolved, Store(folder / "run"), live)


def test_the_key_is_in_no_record_of_a_run_and_the_cost_in_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AUTOSOTA_API_KEY", KEY)
    prompt = Path(config.__file__).parent / "prompts"
    assert prompt.is_dir()
    with serving(ModelServer(reply={"words": "\x1b[2Jhello"}, key=KEY, behaviors=["500", "401"])) as server:
        ask = opened(tmp_path, server)
        assert ask is not None
        ask._prompts = _own(tmp_path)
        with ask.experiment(3):
            assert ask("ideator.say", Answer, log=f"the log says {'x' * 9}") is None
        again = opened(tmp_path, server)
        assert again is not None
        again._prompts = _own(tmp_path)
        with again.experiment(3):
            assert again("ideator.say", Answer, log="more") is not None
    store = Store(tmp_path / "run")
    store.write("run.toml", "")
    cost = usage.total(usage.read(store))
    assert cost.usd is not None
    assert cost.usd == pytest.approx((cost.input_tokens + 2 * cost.output_tokens) / 1e6)
    assert f"${cost.usd:.2f}" in markdown.render(gather(store))
    assert main(["show", str(store.folder), "3", "--prompts"]) == 0
    shown = capsys.readouterr().out
    assert "hello" in shown
    assert "\x1b" not in shown
    assert KEY not in shown
    for path in store.folder.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path


def _own(folder: Path) -> object:
    from autosota.ask.rendering import Prompts

    (folder / "ideator.say.md").write_text("Say it.\n---question---\n{{ log | quoted('log') }}")
    return Prompts(folder)


def test_no_model_asks_nothing_and_an_outage_keeps_no_run_from_going_on(tmp_path: Path) -> None:
    resolved = config.resolve({"repository": str(tmp_path)})
    with Progress.open(None, quiet=True) as live:  # type: ignore[arg-type]
        assert compose.open_ask(resolved, Store(tmp_path / "none"), live) is None
    with serving() as server:
        pass
    with pytest.raises(UsageError, match="nothing answers"):
        opened(tmp_path, server)
    Store(tmp_path / "run").write("run.toml", '[settings]\nmodel = ["x"]\n')
    assert opened(tmp_path, server) is not None


def test_another_model_on_resume_is_told_as_any_changed_setting() -> None:
    old = config.Config(model=("ollama:a",)).model_dump(mode="json")
    (line,) = config.differences(old, config.Config(model=("ollama:b",)))
    assert "ollama:a" in line
    assert "ollama:b" in line


def test_costs_of_unknown_price_are_null_in_the_result() -> None:
    assert Cost(usd=None).model_dump(mode="json")["usd"] is None


def test_verifying_needs_no_model(tmp_path: Path) -> None:
    resolved = config.resolve({"repository": str(tmp_path), "model": ("http://127.0.0.1:9/v1#gone",)})
    with Progress.open(None, quiet=True) as live:  # type: ignore[arg-type]
        with compose.opened(resolved, tmp_path / "run", live, asks=False) as parts:
            assert parts.ask is None
        with pytest.raises(UsageError, match="nothing answers"), compose.opened(resolved, tmp_path / "other", live):
            pass
