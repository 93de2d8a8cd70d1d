"""What every model promises (ports.Model), whichever provider's protocol it speaks, over real sockets on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autosota.errors import AutosotaError, ModelError, UsageError
from autosota.models import endpoint_of, open_model
from autosota.models.endpoints import parse
from autosota.models.provider import ProviderModel
from autosota.models.recording import RecordingModel
from autosota.ports import Model, Prompt
from tests.model_server import ModelServer, Seen, serving

SCHEMA = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"], "additionalProperties": False}
REPLY = {"answer": "forty-two"}
WIRES = ("url", "openai", "anthropic", "google")
KEY = "sk-secret-of-the-user"


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with serving(ModelServer(reply=REPLY)) as started:
        yield started


def provider(wire: str, server: ModelServer, **options: float) -> ProviderModel:
    root = server.url.removesuffix("/v1")
    name, variables = {
        "url": (f"{server.url}#small", {"AUTOSOTA_API_KEY": KEY}),
        "openai": ("openai:gpt-5", {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": KEY}),
        "anthropic": ("anthropic:claude-opus-5", {"ANTHROPIC_BASE_URL": root, "ANTHROPIC_API_KEY": KEY}),
        "google": ("google:gemini-2.5-pro", {"GOOGLE_GEMINI_BASE_URL": root, "GEMINI_API_KEY": KEY}),
    }[wire]
    return ProviderModel(parse(name, variables), pace=0.01, **{"timeout": 20.0, **options})


def scripted(folder: Path, *lines: object) -> Model:
    path = folder / "script.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return open_model(f"scripted:{path}")


@pytest.fixture(params=[*WIRES, "scripted", "record", "replay"])
def model(request: pytest.FixtureRequest, server: ModelServer, tmp_path: Path) -> Model:
    """Every implementation, each able to answer REPLY to anything, four times at least."""
    lines = [{"purpose": "test.*", "reply": REPLY, "tokens": [90, 9], "usd": 0.01}] * 4
    makers: dict[str, Callable[[], Model]] = {
        "scripted": lambda: scripted(tmp_path, *lines),
        "replay": lambda: open_model(
            f"replay:{scripted(tmp_path, *[{**line, 'purpose': 'test.one'} for line in lines]).name[9:]}"
        ),
        "record": lambda: RecordingModel(tmp_path / "kept.jsonl", provider("url", server)),
    }
    return makers.get(request.param, lambda: provider(request.param, server))()


# ── what all have in common ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_typed_question_gets_its_reply_with_tokens_counted(model: Model) -> None:
    answer = model.complete(Prompt("what never changes", "what is it?", "test.one"), SCHEMA)
    assert json.loads(answer.text) == REPLY
    assert answer.ended == "end"
    assert answer.input_tokens > 0
    assert answer.output_tokens > 0
    assert model.longest > 0
    assert KEY not in repr(answer) + model.name


def test_several_threads_may_ask_at_once(model: Model) -> None:
    found: list[str] = []

    def ask(number: int) -> None:
        found.append(model.complete(Prompt("stable", f"question {number}", "test.one")).text)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [json.loads(text) for text in found] == [REPLY] * 4


# ── providers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("wire", WIRES)
def test_the_stable_part_is_sent_first_and_the_key_only_as_a_header(wire: str, server: ModelServer) -> None:
    provider(wire, server).complete(Prompt("WHAT NEVER CHANGES", "what is it?", "test.one"), SCHEMA)
    (seen,) = server.asked
    words = json.dumps(
        {name: seen.body[name] for name in ("system", "systemInstruction", "messages", "contents") if name in seen.body}
    )
    assert words.index("WHAT NEVER CHANGES") < words.index("what is it?") or "contents" in seen.body
    assert KEY not in words
    assert any(KEY in value for value in seen.headers.values())
    assert "test.one" not in seen.words


@pytest.mark.parametrize(
    ("wire", "behavior"),
    [*(("url", kind) for kind in ("429", "429:0", "500", "503", "cut", "hangup", "not-json", "no-choices")),
     *((wire, kind) for wire in ("anthropic", "google") for kind in ("429:0", "cut"))],
)  # fmt: skip
def test_what_passes_is_waited_for(wire: str, behavior: str, server: ModelServer) -> None:
    server.behaviors = [behavior]
    assert json.loads(provider(wire, server).complete(Prompt("stable", "question"), SCHEMA).text) == REPLY
    assert len(server.asked) == 2


@pytest.mark.parametrize("wire", ["url", "google"])
@pytest.mark.parametrize(
    ("behavior", "words", "mark"),
    [("401", "key is refused", "lasting"), ("404", "no such model", "lasting"), ("endless", "longer than", "spent"),
     ("429:9999", "429", ""), ("503:9999", "503", "")],
)  # fmt: skip
def test_what_does_not_pass_is_said_at_once(wire: str, behavior: str, words: str, mark: str, server: ModelServer) -> None:
    server.behaviors = [behavior]
    with pytest.raises(ModelError, match=words) as caught:
        provider(wire, server).complete(Prompt("stable", "question"), SCHEMA)
    assert len(server.asked) == 1
    assert {name for name in ("lasting", "prompt", "spent") if getattr(caught.value, name)} == ({mark} if mark else set())
    assert KEY not in caught.value.message


def test_an_outage_ends_after_a_few_attempts(server: ModelServer) -> None:
    server.behaviors = ["500"] * 20
    with pytest.raises(ModelError, match="500 after 4 attempts"):
        provider("url", server).complete(Prompt("stable", "question"))


def test_a_server_that_does_not_answer_is_left_after_its_time(server: ModelServer) -> None:
    server.behaviors = ["slow:5", "slow:5"]
    with pytest.raises(ModelError, match="no reply in time") as caught:
        provider("url", server, timeout=0.1).complete(Prompt("stable", "question"))
    assert caught.value.spent


def test_no_request_is_sent_after_the_deadline(server: ModelServer) -> None:
    with pytest.raises(ModelError, match="time is over"):
        provider("url", server, deadline=0.0).complete(Prompt("stable", "question"))
    assert not server.asked


@pytest.mark.parametrize(("forms", "tried"), [(("json_object",), 2), ((), 3)])
def test_a_form_that_an_endpoint_does_not_take_is_tried_once(forms: tuple[str, ...], tried: int, server: ModelServer) -> None:
    server.forms = forms
    model = provider("url", server)
    for _ in range(3):
        assert json.loads(model.complete(Prompt("stable", "question"), SCHEMA).text) == REPLY
    sent = [request.body.get("response_format", {}).get("type") for request in server.asked]
    assert sent[:tried] == ["json_schema", "json_object", None][:tried]
    assert sent[tried:] == [sent[tried - 1]] * 2


@pytest.mark.parametrize("wire", ["openai", "anthropic"])
def test_a_model_that_writes_less_is_asked_for_less_and_the_form_stays(wire: str, server: ModelServer) -> None:
    server.most_tokens, server.limit_field = 1500, "max_completion_tokens" if wire == "openai" else ""
    model = provider(wire, server)
    assert json.loads(model.complete(Prompt("stable", "question"), SCHEMA).text) == REPLY
    assert model.longest <= 1500
    before = len(server.asked)
    model.complete(Prompt("stable", "question"), SCHEMA)
    assert len(server.asked) == before + 1
    assert "response_format" in server.asked[-1].body or "output_config" in server.asked[-1].body


def test_a_rejected_request_does_not_cost_the_form_of_all_later_ones(server: ModelServer) -> None:
    model = provider("url", server)
    server.behaviors = ["400", "400", "400"]
    with pytest.raises(ModelError, match="rejected") as caught:
        model.complete(Prompt("stable", "question"), SCHEMA)
    assert caught.value.prompt
    model.complete(Prompt("stable", "question"), SCHEMA)
    assert server.asked[-1].body["response_format"]["type"] == "json_schema"


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize(("behavior", "ended"), [("length", "length"), ("refuse", "refused")])
def test_truncated_and_refused_replies_are_told_apart(wire: str, behavior: str, ended: str, server: ModelServer) -> None:
    server.behaviors = [behavior]
    assert provider(wire, server).complete(Prompt("stable", "question"), SCHEMA).ended == ended


def test_a_call_of_an_unknown_tool_is_words_like_any_other(server: ModelServer) -> None:
    server.behaviors = ["tool"]
    assert json.loads(provider("url", server).complete(Prompt("stable", "question"), SCHEMA).text) == {"path": "/etc/passwd"}


def test_a_redirect_never_carries_the_key_elsewhere(server: ModelServer) -> None:
    with serving(ModelServer(reply=REPLY)) as elsewhere:
        server.behaviors = [f"redirect:{elsewhere.url}/chat/completions"] * 8
        with pytest.raises(ModelError):
            provider("url", server).complete(Prompt("stable", "question"))
        assert not elsewhere.seen


# ── names, keys, prices ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "variables", "words"),
    [
        ("gpt-5", {}, "openai:gpt-5"),
        ("claude-opus-5", {}, "anthropic:claude"),
        ("opnai:gpt-5", {}, "openai:gpt-5"),
        ("openai:gpt-5", {}, "OPENAI_API_KEY"),
        ("anthropic:x", {"OPENAI_API_KEY": KEY}, "ANTHROPIC_API_KEY"),
        ("google:x", {}, "GEMINI_API_KEY"),
        ("openai:", {"OPENAI_API_KEY": KEY}, "names no model"),
        (f"http://me:{KEY}@127.0.0.1:1/v1#x", {}, "AUTOSOTA_API_KEY"),
        (f"http://127.0.0.1:1/v1?key={KEY}#x", {}, "AUTOSOTA_API_KEY"),
    ],
)
def test_a_name_that_cannot_be_meant_says_what_can(name: str, variables: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(name, variables)
    told = f"{caught.value.message} / {caught.value.hint}"
    assert words in told
    assert KEY not in told


@pytest.mark.parametrize(
    ("name", "variables", "url"),
    [
        ("ollama:coder", {}, "http://127.0.0.1:11434/v1"),
        ("ollama:coder", {"OLLAMA_HOST": "0.0.0.0"}, "http://127.0.0.1:11434/v1"),
        ("ollama:coder", {"OLLAMA_HOST": "box:9000"}, "http://box:9000/v1"),
        ("ollama:coder", {"OLLAMA_BASE_URL": "http://box/v1"}, "http://box:11434/v1"),
        ("openai:x", {"OPENAI_BASE_URL": "http://127.0.0.1:8000/v1/"}, "http://127.0.0.1:8000/v1"),
        ("lmstudio:x", {}, "http://127.0.0.1:1234/v1"),
        ("https://gateway.example/v1#a/b:c", {}, "https://gateway.example/v1"),
    ],
)  # fmt: skip
def test_usual_variables_say_where_a_model_is(name: str, variables: dict[str, str], url: str) -> None:
    assert parse(name, variables).base_url == url


def test_the_hosted_providers_key_goes_to_no_other_place() -> None:
    variables = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "http://gateway.example/v1"}
    assert parse("http://elsewhere.example/v1#x", variables).key is None
    assert parse("http://gateway.example/v1#x", variables).key == KEY
    assert KEY not in repr(parse("http://gateway.example/v1#x", variables))


def test_prices_come_from_the_list_or_the_user_and_are_never_guessed() -> None:
    def price(name: str, **variables: str) -> float | None:
        return ProviderModel(parse(name, variables)).price(1_000_000, 100_000)

    assert price("http://127.0.0.1:1/v1#x") is None
    assert price("ollama:x") is None
    assert price("http://127.0.0.1:1/v1#x@0/0") == 0.0
    assert price("http://127.0.0.1:1/v1#x@0.5/2") == pytest.approx(0.7)
    assert price("openai:gpt-5", OPENAI_API_KEY=KEY) == pytest.approx(2.25)
    assert price("openai:gpt-5", OPENAI_API_KEY=KEY, OPENAI_BASE_URL="http://gateway.example/v1") is None
    assert price("anthropic:no-such-model", ANTHROPIC_API_KEY=KEY) is None


def test_a_server_with_one_model_needs_no_name_and_a_wrong_name_says_the_right_one(server: ModelServer) -> None:
    from autosota.models import preflight

    endpoint = endpoint_of(server.url)
    assert endpoint is not None
    assert endpoint.model == "small"
    assert preflight.check(endpoint) == ""
    server.models = ("qwen2.5-coder:latest", "other")
    with pytest.raises(UsageError, match="no model 'qwen2'"):
        preflight.check(parse(f"{server.url}#qwen2", {}))
    assert preflight.check(parse(f"{server.url}#qwen2.5-coder", {})) == ""
    server.key = "another"
    with pytest.raises(UsageError, match="key is refused"):
        preflight.check(parse(f"{server.url}#other", {"AUTOSOTA_API_KEY": KEY}))


# ── scripts and recordings ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_script_answers_in_order_and_by_what_is_asked(tmp_path: Path) -> None:
    model = scripted(
        tmp_path, {"purpose": "a.*", "reply": "first"}, {"when": "needle", "reply": "found"}, {"purpose": "a.*", "reply": "then"},
        {"purpose": "b.x", "fails": "outage"}, {"purpose": "c", "reply": "always", "repeat": True},
    )  # fmt: skip
    asked = [("a.x", ""), ("z", "a needle"), ("a.y", ""), ("c", ""), ("c", "")]
    assert [model.complete(Prompt("", text, purpose)).text for purpose, text in asked] == [
        "first",
        "found",
        "then",
        "always",
        "always",
    ]
    for purpose in ("b.x", "a.x"):
        with pytest.raises(ModelError):
            model.complete(Prompt("", "", purpose))


def test_a_recording_replays_the_same_prompt_and_else_the_next_of_its_purpose(tmp_path: Path) -> None:
    def reply(seen: Seen) -> str:
        return "about " + seen.body["messages"][-1]["content"]

    path = tmp_path / "kept.jsonl"
    with serving(ModelServer(reply=reply)) as server:
        recording = RecordingModel(path, provider("url", server))
        for question in ("one", "two", "three"):
            recording.complete(Prompt("stable", question, "x.y"))
    assert KEY not in path.read_text()
    replay = open_model(f"replay:{path}")
    asked = ["two", "measured 0.91 today", "three", "two"]
    assert [replay.complete(Prompt("stable", question, "x.y")).text for question in asked] == [
        "about two", "about one", "about three", "about two",
    ]  # fmt: skip
    with pytest.raises(ModelError, match="no further reply"):
        replay.complete(Prompt("stable", "four", "x.y"))


@pytest.mark.parametrize("text", ["{", "[1]\n", '{"purpose": "x"}\n', "\x80"])
def test_a_script_that_is_none_is_the_users_mistake(text: str, tmp_path: Path) -> None:
    path = tmp_path / "script"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(UsageError, match="script"):
        open_model(f"scripted:{path}")
    with pytest.raises(AutosotaError):
        open_model("scripted:")
