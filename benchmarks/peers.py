"""Beside a peer: the same toy task, the same stand-in model on loopback that answers at once, the same number of iterations.

    python -m benchmarks.peers [--iterations 20] [--folder FOLDER]

OpenEvolve is installed from the package index into an environment of its own below FOLDER (default: the user's cache folder).
What both sides send is counted at the stand-in, four bytes a token, so the figures mean the same. They do not do the same work:
OpenEvolve evaluates inside a worker process that is reused, once a candidate; autosota in a fresh sandboxed process each time,
over several seeds, with a baseline before and a confirmation after. An iteration is an evaluation; time in them is taken off.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import venv
from dataclasses import dataclass
from pathlib import Path

from benchmarks import figure
from benchmarks.models import empty
from tests.model_server import ModelServer, Seen, serving

PEER = "openevolve==0.4.0"
_VALUES = (0.55, 0.62, 0.71, 0.64, 0.7, 0.58, 0.69, 0.74)
_PROGRAM = '''"""A model with two settings."""

# EVOLVE-BLOCK-START
LEARNING_RATE = 0.5
MOMENTUM = 0.3


def answer():
    return LEARNING_RATE, MOMENTUM
# EVOLVE-BLOCK-END
'''
_PEERS_EVALUATION = """
import importlib.util
def evaluate(path):
    spec = importlib.util.spec_from_file_location("program", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    x, y = module.answer()
    return {"combined_score": 1 - (x - 0.7) ** 2 - (y - 0.1) ** 2}
"""
_OUR_EVALUATION = """
import argparse, random
from program import answer
parser = argparse.ArgumentParser()
parser.add_argument("--seed", type=int, default=0)
random.seed(parser.parse_args().seed)
x, y = answer()
print("score:", 1 - (x - 0.7) ** 2 - (y - 0.1) ** 2 + random.gauss(0, 0.001))
"""
_CONFIG = """
max_iterations: {iterations}
checkpoint_interval: 10
llm:
  api_base: {url}
  api_key: none
  models:
    - name: small
      weight: 1.0
evaluator:
  parallel_evaluations: 1
  cascade_evaluation: false
"""


@dataclass
class Ran:
    """What one side did."""

    name: str
    seconds: float
    first_request: float | None
    prompts: list[str]
    memory: float
    """Peak of the whole process tree, MiB, proportional share."""
    iterations: int
    evaluation_seconds: float = 0.0

    def row(self) -> str:
        """The line of the table."""
        sizes = [len(prompt.encode()) / 4 for prompt in self.prompts]
        pairs = zip(self.prompts, self.prompts[1:], strict=False)
        shared = [_common(before, now) / len(now) for before, now in pairs]
        each = (self.seconds - (self.first_request or 0) - self.evaluation_seconds) / max(1, self.iterations)
        prompts = f"{sizes[0]:.0f} → {sizes[-1]:.0f} | {sum(sizes):.0f}" if sizes else "– | 0"
        first = f"{self.first_request:.1f} s" if self.first_request else "none sent"
        share = f"{100 * sum(shared) / len(shared):.0f} %" if shared else "–"
        cells = [self.name, f"{self.seconds:.1f} s", first, str(len(sizes)), prompts, share, str(self.iterations),
                 f"{each:.2f} s", f"{self.memory:.0f} MiB"]  # fmt: skip
        return "| " + " | ".join(cells) + " |"


HEAD = (
    "| side | whole run | first request after | requests | prompt tokens first → last | in all | shared prefix | iterations"
    " | own time per iteration | peak memory |\n|---|---|---|---|---|---|---|---|---|---|"
)


def openevolve(folder: Path, iterations: int) -> Ran:
    """The peer on the toy task. Raises CalledProcessError where it cannot be installed."""
    python = folder / "openevolve" / "bin" / "python"
    if not python.exists():
        venv.create(folder / "openevolve", with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", PEER], check=True,
                       capture_output=True)  # fmt: skip
    with serving(ModelServer(reply=_difference)) as server, tempfile.TemporaryDirectory() as name:
        place = Path(name)
        for file, text in (("program.py", _PROGRAM), ("evaluator.py", _PEERS_EVALUATION),
                           ("config.yaml", _CONFIG.format(iterations=iterations, url=server.url))):  # fmt: skip
            (place / file).write_text(text)
        command = [python.with_name("openevolve-run"), "program.py", "evaluator.py", "--config", "config.yaml", "--output", "out"]
        return _run("openevolve 0.4.0", [str(word) for word in command], place, server, iterations)


def autosota(iterations: int) -> Ran:
    """Ourselves on the toy task."""
    with serving(ModelServer(reply=empty)) as server, tempfile.TemporaryDirectory() as name:
        place = Path(name)
        (place / "repository").mkdir()
        (place / "repository" / "program.py").write_text(_PROGRAM)
        (place / "repository" / "evaluate.py").write_text(_OUR_EVALUATION)
        options = {
            "--eval": "python evaluate.py --seed {seed}", "--metric": "score:max", "--free": "program.py", "--out": "out",
            "--trials": str(iterations), "--python": sys.executable, "--model": f"{server.url}#small@0/0",
        }  # fmt: skip
        words = [word for option in options.items() for word in option]
        command = [sys.executable, "-m", "autosota.cli", "run", "repository", *words, "--quiet"]
        ran = _run("autosota", command, place, server, iterations)
        result = json.loads((place / "out" / "08-result.json").read_text())
        ran.evaluation_seconds = result["evaluation_seconds"]
        ran.iterations = result["runs"]
        return ran


def _run(name: str, command: list[str], place: Path, server: ModelServer, iterations: int) -> Ran:
    arrived: list[float] = []
    reply = server.reply

    def timed(seen: Seen) -> object:
        arrived.append(time.perf_counter())
        return reply(seen) if callable(reply) else reply

    server.reply = timed  # type: ignore[assignment]
    began = time.perf_counter()
    peak = [0.0]
    process = subprocess.Popen(command, cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    watch = threading.Thread(target=_watch, args=(process, peak), daemon=True)
    watch.start()
    _, told = process.communicate()
    ended = time.perf_counter()
    if process.returncode:
        raise SystemExit(f"{name} ended with code {process.returncode}: {told[-600:]}")
    prompts = [_text(seen) for seen in server.asked]
    return Ran(name, ended - began, arrived[0] - began if arrived else None, prompts, peak[0], iterations)


def _watch(process: subprocess.Popen[str], peak: list[float]) -> None:
    while process.poll() is None:
        peak[0] = max(peak[0], sum(_share(number) for number in _tree(process.pid)))
        time.sleep(0.1)


def _tree(root: int) -> list[int]:
    parents: dict[int, int] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                parents[int(name)] = int(Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found, before = {root}, 0
    while len(found) > before:
        before = len(found)
        found |= {number for number, parent in parents.items() if parent in found}
    return sorted(found)


def _share(number: int) -> float:
    try:
        text = Path(f"/proc/{number}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    found = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


def _text(seen: Seen) -> str:
    return "\n".join(str(message.get("content")) for message in seen.body.get("messages", []))


def _common(before: str, now: str) -> int:
    return next(
        (place for place, (one, other) in enumerate(zip(before, now, strict=False)) if one != other), min(len(before), len(now))
    )


def _difference(seen: Seen) -> str:
    """An edit of the program in the prompt, as OpenEvolve asks for it."""
    found = re.findall(r"^LEARNING_RATE = [\d.]+$", _text(seen), re.MULTILINE)
    now = found[-1] if found else "LEARNING_RATE = 0.5"
    new = _VALUES[len(seen.words) % len(_VALUES)]
    return f"<<<<<<< SEARCH\n{now}\n=======\nLEARNING_RATE = {new}\n>>>>>>> REPLACE"


def main() -> int:
    """Run both sides and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--iterations", type=int, default=20)
    parser.add_argument("--folder", type=Path, default=Path.home() / ".cache" / "autosota-peers")
    options = parser.parse_args()
    print(figure.machine(), end="\n\n")
    print(HEAD, flush=True)
    print(autosota(options.iterations).row(), flush=True)
    try:
        print(openevolve(options.folder, options.iterations).row(), flush=True)
    except subprocess.CalledProcessError as error:
        print(f"\n{PEER} cannot be installed here: {error}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
