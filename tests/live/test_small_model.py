"""A real, very small model: it answers badly, and runs end well all the same."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel, Field

from autosota.ask import EVERY, Ask, usage
from autosota.ask.rendering import Prompts
from autosota.models import open_model
from autosota.store import Store
from tests import kit
from tests.e2e.test_models import EVALUATION, MODEL
from tests.kit import CommandLine
from tests.live import small_model

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The server's base URL; skipped with the reason where it cannot be fetched."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    try:
        with small_model.serving(port) as base:
            yield base
    except small_model.Missing as missing:
        pytest.skip(str(missing))


class Idea(BaseModel):
    title: str = Field(max_length=200)
    why: str = Field(max_length=400)


class Ideas(BaseModel):
    ideas: list[Idea] = Field(max_length=3)


@pytest.mark.parametrize("form", ["schema", "object", "words"])
def test_typed_answers_come_in_every_form(form: str, url: str, tmp_path: Path) -> None:
    (tmp_path / "ideator.try.md").write_text(
        "A classifier's training script.\n---question---\nName up to three ways to make it better."
    )
    model = open_model(f"{url}#{small_model.NAME}@0/0")
    model.warm()  # type: ignore[attr-defined]
    model._forms = model._forms[("schema", "object", "words").index(form) :]  # type: ignore[attr-defined]
    store = Store(tmp_path / "run")
    answer = Ask({EVERY: model}, store, cap=1.0, prompts=Prompts(tmp_path))("ideator.try", Ideas)
    lines = usage.read(store)
    assert lines[-1].output_tokens > 0
    assert usage.total(lines).usd == 0.0
    assert (answer is not None) == (lines[-1].outcome == "answered")
    if form == "schema":
        assert answer is not None


def test_the_whole_pipeline_ends_well(url: str, tmp_path: Path) -> None:
    repository = kit.write(tmp_path / "repository", {"model.py": MODEL, "evaluate.py": EVALUATION})
    line = CommandLine(tmp_path)
    process = line.start(
        "run", repository, "--eval", "python evaluate.py --seed {seed}", "--metric", "score:max", "--free", "model.py",
        "--trials", 4, "--python", sys.executable, "--model", f"{url}#{small_model.NAME}@0/0", "--cost", 1, "--json",
        "--out", tmp_path / "out",
    )  # fmt: skip
    ended = line.end(process, 1800)
    result = ended.finished()
    assert result["grade"] in ("CONFIRMED", "DISCLOSE", "SUGGESTIVE", "UNCONFIRMED", "REVIEW")
    lines = [json.loads(line) for line in (tmp_path / "out" / "usage.jsonl").read_text().splitlines()]
    assert result["cost"]["input_tokens"] == sum(line["input_tokens"] for line in lines) > 0
    assert result["cost"]["usd"] == 0.0
