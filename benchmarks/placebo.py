"""False claims: campaigns on tasks in which nothing can improve, beside "keep if better".

    python -m benchmarks.placebo [--campaigns 200] [--candidates 25] [--attempts 3]

Measurements are simulated, seed noise with a part that is common to both arms, rows drawn anew with every seed; every
confirmation goes through the Supervisor. Where rows are fixed: benchmarks.campaigns.
In search a candidate must beat the baseline's expected score on its first seed to get a second one, as in the scheduler; up to
`--attempts` of the best ones are put to confirmation, each at the level that is left to it.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from autosota import statistics  # noqa: E402
from autosota.agents.supervisor import Supervisor  # noqa: E402
from autosota.records import (  # noqa: E402
    Baseline,
    Case,
    Commands,
    Criterion,
    Environment,
    Measurement,
    MetricSpec,
    Recipe,
    Rubric,
    Zones,
)

SPEC = MetricSpec(name="accuracy", direction="max", primary=True)
NOISE, SHARED = 0.01, 0.01
CLAIMS = ("CONFIRMED", "DISCLOSE")


def case() -> Case:
    """A task without anything to find."""
    environment = Environment(
        commit="base",
        recipe=Recipe(digest="d", python="/p", prefix="/x"),
        commands=Commands(evaluate="e", redraws=True),
        zones=Zones(protected=()),
    )
    baseline = Baseline(
        measurements=(), mean={SPEC.name: 0.7}, noise={SPEC.name: (NOISE**2 + SHARED**2) ** 0.5}, seconds=1.0, cpu_seconds=1.0,
        reproduced="unknown", deterministic=False,
    )  # fmt: skip
    return Case(Rubric(metrics=(SPEC,), tree=Criterion(id="r", requirements="", weight=1)), environment, baseline, None, {})


def score(campaign: int, commit: str, seed: int) -> float:
    """The same for every commit but for noise; a part of it comes with the seed."""
    shared = random.Random(f"{campaign}|{seed}").gauss(0.0, SHARED)
    return 0.7 + shared + random.Random(f"{campaign}|{commit}|{seed}").gauss(0.0, NOISE)


def search(campaign: int, candidates: int) -> list[tuple[float, str]]:
    """Candidates that looked better than the baseline, best first: (gain, commit)."""
    reference = statistics.mean([score(campaign, "base", seed) for seed in range(5)])
    found = []
    for index in range(candidates):
        first = score(campaign, f"c{index}", 100)
        if first > reference:
            second = score(campaign, f"c{index}", 101)
            if (first + second) / 2 > reference:
                found.append(((first + second) / 2 - reference, f"c{index}"))
    return sorted(found, reverse=True)


def confirmed(campaign: int, commit: str, attempt: int) -> bool:
    """Does the Supervisor let the candidate make a claim on fresh seeds?"""

    def submit(jobs: Sequence[tuple[str, int]]) -> list[Measurement]:
        return [
            Measurement(
                commit=name, seed=seed, purpose="confirm", values={SPEC.name: score(campaign, name, seed)}, seconds=1.0,
                cpu_seconds=1.0, exit_code=0,
            )
            for name, seed in jobs
        ]  # fmt: skip

    result = Supervisor().confirm(
        commit, case=case(), evaluation=SimpleNamespace(executor=SimpleNamespace(isolated=True)),
        seeds=iter(range(10_000 * attempt, 10_000 * attempt + 20)), attempt=attempt, submit=submit, searched=True,
    )  # fmt: skip
    return result.grade in CLAIMS


def campaigns(count: int, candidates: int, attempts: int) -> dict[str, object]:
    """Shares of campaigns that end in a claim."""
    ours = plain = 0
    for campaign in range(count):
        ranked = search(campaign, candidates)
        plain += bool(ranked)
        ours += any(confirmed(campaign, commit, number) for number, (_, commit) in enumerate(ranked[:attempts], 1))
    return {
        "campaigns": count, "candidates": candidates, "attempts": attempts,
        "confirmed": ours, "confirmed_interval": statistics.wilson(ours, count),
        "keep_if_better": plain, "keep_if_better_interval": statistics.wilson(plain, count),
    }  # fmt: skip


def main() -> None:
    """Print the shares as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--campaigns", type=int, default=200)
    parser.add_argument("--candidates", type=int, default=25)
    parser.add_argument("--attempts", type=int, default=3)
    options = parser.parse_args()
    found = campaigns(options.campaigns, options.candidates, options.attempts)
    (ROOT / "docs" / "placebo.json").write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
