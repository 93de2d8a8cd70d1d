"""The report: from any subset of records, offline, escaped, accessible."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from autosota import report
from autosota.records import Experiment, Gain, Grade, Measurement, Result, Verdict, Violation
from autosota.report import story
from autosota.report.facts import gather
from autosota.store import Store
from tests.report import example_run

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)> {{ 7*7 }} [a](javascript:alert(3)) `x` | \x1b[2J\u202e https://evil.example/x"
VOID = {"meta", "br", "img", "link", "hr", "input"}
LEAVES = {"rect", "line", "circle", "path"}


class Page(HTMLParser):
    """What a browser would see: balanced tags, their attributes, text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        assert tag in VOID | LEAVES, f"<{tag}/> is not closed in HTML"
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text.append(data)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def written(store: Store) -> Page:
    """Write everything, check what holds for every page, return it."""
    for path in report.write(store):
        assert path.is_file() and path.stat().st_size > 0
    html = (store.folder / "report.html").read_text(encoding="utf-8")
    page = Page(html)
    names = {name for name, _ in page.tags}
    assert not names & {"script", "img", "iframe", "object", "embed", "link", "form", "base", "foreignobject"}
    for tag, attributes in page.tags:
        assert not any(key.startswith("on") for key in attributes), attributes
        assert "src" not in attributes
        href = attributes.get("href")
        assert href is None or (tag == "a" and re.match(r"#[\w-]+$|https?://", href)), href
    assert "url(" not in html and "@import" not in html
    anchors = [attributes["href"] or "" for attributes in page.named("a") if (attributes.get("href") or "").startswith("#")]
    ids = [attributes["id"] for _, attributes in page.tags if attributes.get("id")]
    assert len(ids) == len(set(ids))
    assert {anchor[1:] for anchor in anchors} <= set(ids)
    assert all(head.get("scope") in ("col", "row") for head in page.named("th"))
    assert all(svg.get("aria-label") or svg.get("aria-hidden") for svg in page.named("svg"))
    assert len(page.named("h1")) == 1 and len(page.named("main")) == 1
    return page


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = example_run.write(tmp_path_factory.mktemp("run") / "digits" / "heron")
    report.write(store)
    return store


def test_every_file_is_written_and_named(complete: Store) -> None:
    names = [path.name for path in report.write(complete)]
    assert names == ["report.html", "report.md", "code_analysis.md", "idea_library.md", "research_report.md", "scores.jsonl"]


def test_the_page_of_a_complete_run_holds_what_a_skeptic_asks_for(complete: Store) -> None:
    page = written(complete)
    text = " ".join(" ".join(page.text).split())
    for phrase in (
        "CONFIRMED", "guarded", "selected-on-test", "95 % interval", "Fresh seeds remove luck", "protected-changed", "best.patch",
        "autosota verify", example_run.PROTOCOL, "scikit-learn", "missing-module", "one hidden layer",
        "seed 1208459121", "noise floor",
    ):  # fmt: skip
        assert phrase in text, phrase
    titles = " ".join(page.text[index] for index in range(len(page.text)))
    assert "Path of the search" in titles and "Gain with its 95 % interval" in titles


def test_markdown_holds_the_same(complete: Store) -> None:
    text = (complete.folder / "report.md").read_text()
    for phrase in (
        "**CONFIRMED**",
        "95 % interval",
        "| seed 1208459121 |",
        "```diff",
        "protected-changed",
        "autosota verify",
        "| R7 ",
    ):
        assert phrase in text, phrase
    for line in text.split("\n"):
        assert not line.startswith("|") or line.rstrip().endswith("|")


@pytest.mark.parametrize("until", ["config", "task", "rubric", "environment", "baseline", "analysis", "experiments"])
def test_unfinished_runs_have_a_report(tmp_path: Path, until: str) -> None:
    page = written(example_run.write(tmp_path / "a" / "b", until=until))
    assert "Unfinished" in " ".join(page.text)


def test_an_empty_folder_has_a_report(tmp_path: Path) -> None:
    assert "nothing has been recorded" in " ".join(written(Store(tmp_path)).text)


def test_a_run_without_paper_has_a_report(tmp_path: Path) -> None:
    assert "digits-network" in " ".join(written(example_run.write(tmp_path, paper=False)).text)


def result(store: Store, **more: object) -> Store:
    """The run with its result changed."""
    old = store.result()
    assert old is not None
    store.save(Result.model_validate({**old.model_dump(), **more}))
    return store


@pytest.mark.parametrize("grade", ["CONFIRMED", "DISCLOSE", "SUGGESTIVE", "UNCONFIRMED", "REVIEW", "REJECTED", None])
@pytest.mark.parametrize("fresh", [True, False])
def test_every_grade_has_a_headline(tmp_path: Path, grade: Grade | None, fresh: bool) -> None:
    store = example_run.write(tmp_path)
    more: dict[str, object] = {"grade": grade} if fresh else {"grade": grade, "gain": None, "best": None, "patch": None}
    told = story.headline(gather(result(store, **more)))
    assert told.endswith(".") and 20 < len(told) < 300 and "None" not in told
    page = written(store)
    assert told in " ".join(" ".join(page.text).split())
    claims = grade in ("CONFIRMED", "DISCLOSE")
    assert ("confirmed on" in told) == claims


@pytest.mark.parametrize("command", ["audit", "verify"])
def test_audits_and_verifications_have_no_search(tmp_path: Path, command: str) -> None:
    whole = example_run.write(tmp_path / "whole").result()
    assert whole is not None
    store = Store(tmp_path / "other")
    store.folder.mkdir()
    store.save(Result.model_validate({**whole.model_dump(), "command": command, "labels": ("compute-x2.0", "unheard-of")}))
    page = written(store)
    text = " ".join(page.text)
    assert "2.0 times the baseline" in text and "The search" not in text


def test_a_deterministic_result_without_gain_or_spread(tmp_path: Path) -> None:
    store = example_run.write(tmp_path)
    gain = Gain(absolute=0.01, relative=None, low=0.01, high=0.01, p=1.0, pairs=1, attempts=3)
    best = {"experiment": 999, "values": (0.91,), "mean": 0.91, "std": None}
    baseline = {"values": (0.9,), "mean": 0.9, "std": None, "reported": None, "reproduced": "unknown"}
    written(result(store, grade="SUGGESTIVE", gain=gain.model_dump(), best=best, baseline=baseline, labels=("deterministic",)))


# ── hostile text ──────────────────────────────────────────────────────────────────────────────────────────────────────


FIXED = frozenset({
    "PARAM", "CODE", "ALGO", "micro", "meso", "macro", "low", "medium", "high", "max", "min", "git", "directory", "front",
    "footnote", "body", "references", "annotation", "placeholder", "option", "key", "environment", "worked", "failed",
    "skipped", "float", "int", "choice", "yaml", "argparse", "cleared", "rejected", "review", "reject", "disclose", "note",
    "improved", "not_improved", "stopped", "yes", "R1", "R2", "R3", "R4", "R5", "R6", "R7", "run", "row", "set", "stream",
    "CONFIRMED", "guarded", "noise", "search", "confirm", "dataset", "accuracy",
})  # fmt: skip
"""Words that the records' schema fixes."""


def poisoned(value: object) -> object:
    """Every free text of a record replaced by hostile text."""
    if isinstance(value, dict):
        return {key: poisoned(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [poisoned(item) for item in value]
    if isinstance(value, str) and value and value not in FIXED and not re.fullmatch(r"[0-9a-f]{40,}", value):
        return HOSTILE
    return value


def hostile_run(folder: Path) -> Store:
    """The example with every text replaced, written through the records' own schema."""
    clean = example_run.write(folder / "clean")
    store = Store(folder / "hostile")
    store.folder.mkdir()
    for record in (clean.task(), clean.rubric(), clean.environment(), clean.baseline(), clean.analysis(), clean.result()):
        assert record is not None
        data = poisoned(record.model_dump())
        store.save(type(record).model_validate(data))
    for idea, verdict in clean.ideas():
        bad = type(idea).model_validate({**poisoned(idea.model_dump()), "id": HOSTILE + idea.id})  # type: ignore[dict-item]
        store.append_idea(bad, Verdict.model_validate(poisoned(verdict.model_dump())) if verdict else None)
    for entry in clean.experiments():
        setting = {HOSTILE + str(index): HOSTILE for index in range(3)}
        store.append_experiment(Experiment.model_validate({**poisoned(entry.model_dump()), "setting": setting}))  # type: ignore[dict-item]
    for measured in clean.measurements():
        data = {**measured.model_dump(), "tail": HOSTILE, "notes": (HOSTILE,), "protocol": HOSTILE, "previous": ""}
        store.append_measurement(Measurement.model_validate(data))
    store.write(
        "best.patch", f"diff --git a/{HOSTILE} b/{HOSTILE}\n--- a/x\n+++ b/x\n@@ -1 +1 @@ {HOSTILE}\n-{HOSTILE}\n+{HOSTILE}\n"
    )
    store.write("notes.md", HOSTILE * 3)
    store.write("protocol.toml", f"# {HOSTILE!r}\nsandbox = {json.dumps(HOSTILE)}\n")
    store.write("usage.jsonl", '{"usd": "NaN", "input_tokens": 1e999}\nnot json\n[1]\n{"usd": 0.5}\n')
    return store


def test_hostile_text_everywhere_stays_text(tmp_path: Path) -> None:
    store = hostile_run(tmp_path)
    page = written(store)
    assert "<script>alert(1)</script>" in "".join(page.text)
    html = (store.folder / "report.html").read_text()
    assert "<script" not in html and "\x1b" not in html and "\u202e" not in html
    assert "{{ 7*7 }}" in html


def test_hostile_text_stays_text_in_markdown(tmp_path: Path) -> None:
    store = hostile_run(tmp_path)
    report.write(store)
    for name in ("report.md", "code_analysis.md", "idea_library.md", "research_report.md"):
        text = (store.folder / name).read_text()
        assert "\x1b" not in text and "\u202e" not in text
        outside = re.sub(r"(?ms)^(`{3,})\w*\n.*?^\1$", "", text)
        outside = re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "", outside)
        assert not re.search(r"(?<!\\)<(?!br>)", outside), re.search(r".{30}(?<!\\)<(?!br>).{30}", outside)
        assert not re.search(r"(?<!\\)\]\(", outside) and "javascript:" not in outside and "https://" not in outside
    for line in (store.folder / "scores.jsonl").read_text().splitlines():
        assert set(json.loads(line)) >= {"experiment", "score", "best", "status"}


def test_only_plain_web_addresses_become_links(tmp_path: Path) -> None:
    page = written(example_run.write(tmp_path / "good"))
    links = [attributes["href"] for attributes in page.named("a") if str(attributes["href"]).startswith("http")]
    assert links == ["https://example.org/digits-network.git"]
    bad = example_run.write(tmp_path / "bad", until="task")
    task = bad.task()
    assert task is not None
    for source in ("javascript:alert(1)", "https://x y", "data:text/html,x", "/home/ada"):
        bad.save(task.model_copy(update={"repository": task.repository.model_copy(update={"source": source})}))
        assert not [link for link in written(bad).named("a") if not str(link["href"]).startswith("#")]


# ── size ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_long_search_is_folded_and_points_to_the_file(tmp_path: Path) -> None:
    store = example_run.write(tmp_path, until="experiments")
    template = store.experiments()[0]
    lines = []
    for number in range(25, 3001):
        status = "improved" if number % 50 == 0 else "not_improved"
        lines.append(template.model_copy(update={"number": number, "status": status}).model_dump_json())
    with (tmp_path / "07-experiments.jsonl").open("a") as file:
        file.write("\n".join(lines) + "\n")
    page = written(store)
    rows = [attributes for attributes in page.named("tr") if str(attributes.get("id", "")).startswith("experiment-")]
    assert len(rows) == story.ROWS
    assert "07-experiments.jsonl" in " ".join(page.text)
    assert len((tmp_path / "report.html").read_bytes()) < 2_000_000
    assert len((tmp_path / "scores.jsonl").read_text().splitlines()) == 3001


def test_selected_rows_keep_improved_rejected_failed_and_last(tmp_path: Path) -> None:
    template = example_run.write(tmp_path, until="experiments").experiments()[0]
    marks = {7: "failed", 1500: "rejected", 1700: "improved"}
    experiments = [
        template.model_copy(update={"number": number, "status": marks.get(number, "not_improved"), "gain": -number / 1e4})
        for number in range(1, 2001)
    ]
    numbers = [entry.number for entry in story.selected(experiments, 100)]
    assert len(numbers) == 100 and numbers == sorted(numbers)
    assert {7, 1500, 1700, 2000, 1} <= set(numbers)


def test_scores_follow_the_best_so_far(complete: Store) -> None:
    lines = [json.loads(line) for line in (complete.folder / "scores.jsonl").read_text().splitlines()]
    assert lines[0]["idea"] == "baseline" and len(lines) == 25
    best = [line["best"] for line in lines]
    assert best == sorted(best)
    assert lines[9]["status"] == "rejected" and lines[9]["best"] == lines[8]["best"] < lines[9]["score"]


def test_the_claims_own_violations_decide_an_audits_status(tmp_path: Path) -> None:
    store = example_run.write(tmp_path)
    crossed = Violation(red_line="R5", rule="fitted-on-test", action="review", evidence="e")
    unstable = Violation(red_line=None, rule="unstable", action="reject", evidence="one seed in five failed")
    audits = {
        audit.id: audit
        for audit in story.audits(gather(result(store, grade="REVIEW", violations=[crossed.model_dump(), unstable.model_dump()])))
    }
    assert audits["R5"].status == "review" and audits["–"].status == "rejected"
    assert audits["R2"].status == "cleared" and audits["R2"].total == 1
