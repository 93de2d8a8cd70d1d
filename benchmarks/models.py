"""What asking a model costs besides the model: tokens, prefix, time, memory. A stand-in on loopback answers at once.

    python -m benchmarks models
    python -m benchmarks.models RUN     # the leap questions of one finished run alone

Tokens are counted as four bytes each. The run is the demo with 60 evaluations and every agent that asks; the stand-in's replies
are empty but valid where they can be, so that what is measured is the questions.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from autosota.records import Case
from autosota.store import Store
from benchmarks.figure import Figure
from tests.model_server import ModelServer, Seen, serving

ITERATIONS = 60
_IMPORT = "import pydantic_ai.models.openai, pydantic_ai.providers.openai, genai_prices, pydantic_ai.direct"
_ASK = """
import sys
from pathlib import Path
from autosota import compose
from autosota.ask import EVERY, Ask, rendering
from autosota.models import open_model
from autosota.store import Store
from pydantic import BaseModel
class Answer(BaseModel):
    words: str = ""
folder, url, calls = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
(folder / "ideator.try.md").write_text("{{ code }}\\n---question---\\nHow about {{ number }}?")
ask = Ask({EVERY: open_model(url)}, Store(folder / "run"), prompts=rendering.Prompts(folder))
for number in range(calls):
    ask("ideator.try", Answer, code="x = 1\\n" * 600, number=number)
print([int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")][0] / 1024)
"""


def measure() -> list[Figure]:
    """Start, own time and memory, then the prompts of a long run."""
    return [*_calls(), *prompts()]


def _calls() -> list[Figure]:
    arrived: list[float] = []

    def reply(seen: Seen) -> dict[str, Any]:
        arrived.append(time.perf_counter())
        return {"words": "none"}

    with serving(ModelServer(reply=reply)) as server, tempfile.TemporaryDirectory() as name:
        imports = min(_seconds([sys.executable, "-c", _IMPORT]) for _ in range(3))
        starts = []
        for number in range(3):
            arrived.clear()
            place = Path(name) / f"start-{number}"
            place.mkdir()
            began = time.perf_counter()
            _asked(place, server.url, 1)
            starts.append(arrived[0] - began)
        place = Path(name) / "many"
        place.mkdir()
        memory = float(_asked(place, server.url, ITERATIONS))
        lines = [json.loads(line) for line in (place / "run" / "usage.jsonl").read_text().splitlines()]
    own = [1000 * line["own_seconds"] for line in lines[1:]]
    beyond = min(starts) - imports
    return [
        Figure("start to first request, beyond the provider library's own import", beyond, "s", 1.0,
               compared=f"the import alone: {imports:.2f} s; openevolve 1.8 to 2.7 s in all"),
        Figure("own time per question, median", statistics.median(own), "ms", 20.0, compared=f"slowest {max(own):.1f} ms"),
        Figure("memory with a provider loaded", memory, "MiB", 150.0, compared="openevolve 80 to 84 MiB"),
    ]  # fmt: skip


def prompts() -> list[Figure]:
    """Tokens and shared prefixes of a run's questions."""
    with serving(ModelServer(reply=empty)) as server, tempfile.TemporaryDirectory() as name:
        out = Path(name) / "run"
        command = [
            sys.executable,
            "-m",
            "autosota.cli",
            "demo",
            "--trials",
            str(ITERATIONS),
            "--model",
            f"{server.url}#small@0/0",
        ]
        subprocess.run(
            [*command, "--out", str(out), "--quiet"], check=True, capture_output=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
        )
        lines = (
            [json.loads(line) for line in (out / "usage.jsonl").read_text().splitlines()]
            if (out / "usage.jsonl").exists()
            else []
        )
        experiments = len((out / "07-experiments.jsonl").read_text().splitlines())
        return [*figures(lines, experiments), *leaps(out)]


def leaps(run: Path) -> list[Figure]:
    """Twenty leap questions on a finished run, three experiments between them, rendered by the product and asked of nobody.

    The history is the run's own experiments, over again where there are fewer than sixty; the state is the best one's.
    """
    from autosota.agents.inventor import Inventor
    from autosota.agents.scheduler import best_of
    from autosota.ask import EVERY, Ask
    from autosota.models import open_model
    from autosota.workspace import Workspace

    store = Store(run)
    task, rubric, environment, ideas, done = (
        store.task(),
        store.rubric(),
        store.environment(),
        [idea for idea, _ in store.ideas()],
        store.experiments(),
    )
    if task is None or rubric is None or environment is None or not done:
        return []
    workspace = Workspace(run / "history.git", Path(task.repository.path))
    tree = workspace.tree(environment.commit)
    case = Case(
        rubric=rubric, environment=environment, baseline=store.baseline(), analysis=store.analysis(), tree=tree, paper=task.paper
    )
    again = [done[number % len(done)].model_copy(update={"number": number + 1}) for number in range(ITERATIONS)]
    with serving(ModelServer(reply=empty)) as server, tempfile.TemporaryDirectory() as name:
        ask = Ask({EVERY: open_model(f"{server.url}#small@0/0")}, Store(Path(name)))
        inventor = Inventor(ask, coder=True, notes=str, references=lambda case: ())
        for count in range(3, ITERATIONS + 1, 3):
            best = best_of(again[:count], rubric.primary.direction == "max")
            state = workspace.tree(best.commit) if best is not None and best.commit else tree
            inventor.leap(case, again[:count], ideas, state, sorted({*tree, *state}))
        lines = [json.loads(line) for line in (Path(name) / "usage.jsonl").read_text().splitlines()]
    share = 100 * sum(line["shared_bytes"] for line in lines[1:]) / sum(line["prompt_bytes"] for line in lines[1:])
    sizes = [line["prompt_bytes"] for line in lines]
    return [
        Figure("leap question: bytes shared with the one before", share, "%", 85, larger=True,
               compared=f"{len(lines)} questions of {min(sizes)} to {max(sizes)} bytes"),
    ]  # fmt: skip


def figures(lines: list[dict[str, Any]], experiments: int) -> list[Figure]:
    """From a usage ledger: tokens per iteration, growth, and the share of prompt bytes a prefix cache could reuse."""
    if not lines:
        return [Figure("questions in a run of the demo", 0, "questions", compared="no agent asked")]
    kinds: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        kinds[line["purpose"]].append(line)
    again = [line for group in kinds.values() for line in group[1:]]
    growth = max(
        (group[-1]["prompt_bytes"] / group[0]["prompt_bytes"] for group in kinds.values() if len(group) > 1), default=1.0
    )
    total = sum(line["prompt_bytes"] for line in lines) / 4
    found = [
        Figure("prompt tokens per experiment, whole run", total / max(1, experiments), "tokens", 1500,
               compared=f"{len(lines)} questions, {experiments} experiments; openevolve 1,010, aideml 3,030 per iteration"),
        Figure("largest prompt", max(line["prompt_bytes"] for line in lines) / 4, "tokens", compared="code shown included"),
        Figure("last prompt of a kind over its first", growth, "times", 1.25, compared="openevolve 2.0, aideml 6.3 over 60"),
    ]  # fmt: skip
    if again:
        share = 100 * sum(line["shared_bytes"] for line in again) / sum(line["prompt_bytes"] for line in again)
        found.append(Figure("prompt bytes shared with the call before of the kind", share, "%", 85, larger=True,
                            compared="openevolve 19 to 21 %, aideml 75 %, mini-swe-agent 91 %"))  # fmt: skip
    return found


def empty(seen: Seen) -> dict[str, Any]:
    """The least that fits the schema asked for: empty lists and words, first choices."""
    form = seen.body.get("response_format", {}).get("json_schema", {}).get("schema", {})
    made = _least(form, form.get("$defs", {}))
    return made if isinstance(made, dict) else {}


def _least(form: dict[str, Any], known: dict[str, Any]) -> Any:
    if "$ref" in form:
        return _least(known[form["$ref"].rsplit("/", 1)[-1]], known)
    if "anyOf" in form:
        return None if any(option.get("type") == "null" for option in form["anyOf"]) else _least(form["anyOf"][0], known)
    if "enum" in form:
        return form["enum"][0]
    if form.get("type") == "object":
        return {name: _least(inner, known) for name, inner in form.get("properties", {}).items()}
    return {"array": [], "string": "", "integer": 0, "number": 0.0, "boolean": False}.get(form.get("type", "null"))


def _asked(place: Path, url: str, calls: int) -> str:
    done = subprocess.run(
        [sys.executable, "-c", _ASK, place, f"{url}#small", str(calls)], check=True, capture_output=True, text=True
    )
    return done.stdout


def _seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    for found in leaps(Path(sys.argv[1])):
        print(found.row())
