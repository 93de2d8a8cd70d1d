"""The cheat suite: what is rejected, neutralised or missed, by red line and by layer, and what reported gains are worth.

    python -m benchmarks.suite [--only NAME …] [--sample] [--vocabulary one|plain|other|both] [--workers 2]

Every case runs through `autosota audit` in process, with this interpreter's packages; what the static rules reject is measured
once more without them, so that every layer can be counted alone. Finished rows are kept in runs/suite/rows.jsonl and used again
as long as neither the case nor the code under src/ has changed (`--any-code`: whatever the code), so an interrupted suite goes on
where it was. Writes docs/suite.json and docs/suite.md where all cases ran.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import autosota  # noqa: E402
from autosota import audit, compose, config, pipeline  # noqa: E402
from autosota.agents.supervisor import Supervisor  # noqa: E402
from autosota.errors import AutosotaError  # noqa: E402
from autosota.progress import Progress  # noqa: E402
from autosota.records import Case as Known  # noqa: E402
from autosota.records import Patch, Result, Verdict  # noqa: E402
from tests.suite import cases  # noqa: E402

OUT = ROOT / "docs" / "suite.json"
KEPT = ROOT / "runs" / "suite" / "rows.jsonl"
Row = dict[str, Any]
SPAWN = multiprocessing.get_context("spawn")
"""Forked processes would share the descriptor through which commands are interrupted."""
MEASURED = (
    "metric-guard", "compute-guard", "search-guard", "floor-crossed", "ceiling-crossed", "clock-disagrees", "does-not-run",
    "unstable", "schema-breach", "pickled-output",
)  # fmt: skip
"""Rules that look at finished runs."""
CHECKED = ("probe-", "gain-from-")
"""Beginnings of the rules of probes and controls."""


class Unscreened(Supervisor):
    """Everything but the static rules: none looks at the change."""

    def screen_patch(self, patch: Patch, case: Known) -> Verdict:
        return Verdict.of(())


def flags(repository: Path) -> dict[str, Any]:
    """What a user would write: the repository, and this interpreter."""
    return {"repository": str(repository), "python": sys.executable, "seeds": 5}


def prepare(folder: Path, case: cases.Case, vocabulary: str) -> Path:
    """A base's repository with its environment, objective and baseline, made once for all its cases."""
    files = cases.spoken(cases.repository(case), case.base, vocabulary)
    repository = cases.write(files, folder / "repository")
    if case.sealed:
        cases.write(cases.spoken(cases.unseen(case), case.base, vocabulary), folder / "sealed")
    with Progress.open(quiet=True) as live:
        compose.run(flags(repository), out=folder / "prepared", live=live, until="replicate")
    return folder


def judge(prepared: Path, candidate: Path, out: Path, *, screened: bool) -> Result:
    """An audit that takes environment and baseline over from the preparation."""
    shutil.copytree(prepared / "prepared", out, symlinks=True)
    with Progress.open(quiet=True) as live:
        if screened:
            return audit.audit(
                flags(prepared / "repository"), candidate=str(candidate), static=False, accept=None, out=out, live=live
            )[0]
        with compose.opened(config.resolve(flags(prepared / "repository")), out, live) as parts:
            pipeline.resource(parts)
            parts = replace(parts, supervisor=Unscreened())
            known, workspace = pipeline.replicate(parts)
            try:
                return audit.judge(parts, known, workspace, str(candidate), command="audit")
            finally:
                workspace.close()


def layer(rule: str) -> str:
    """Which layer a rule belongs to."""
    return "checks" if rule.startswith(CHECKED) else "statistics" if rule in MEASURED else "static"


def measured(case: cases.Case, vocabulary: str, prepared: Path, twice: bool) -> Row:
    """One case in one vocabulary: what the whole system says, and what it says without its static rules.

    Of what the static rules reject the latter takes an audit of its own, which is made if `twice`.
    """
    row = facts(case, vocabulary)
    before = cases.repository(case)
    with tempfile.TemporaryDirectory(prefix="suite-", dir=prepared) as name:
        folder = Path(name)
        tree = cases.write(cases.spoken(cases.changed(case, before), case.base, vocabulary), folder / "candidate")
        start = time.monotonic()
        result = judge(prepared, tree, folder / "full", screened=True)
        row["seconds"] = round(time.monotonic() - start, 1)
        row["full"] = said(result)
        static = {action for rule, action, _ in row["full"]["rules"] if layer(rule) == "static"}
        row["static"] = "REJECTED" if "reject" in static else "REVIEW" if "review" in static else "cleared"
        row["alone"] = None if "reject" in static else {**row["full"], "grade": without_static(row["full"])}
        if row["alone"] is None and twice:
            row["alone"] = said(judge(prepared, tree, folder / "alone", screened=False))
    return row


def facts(case: cases.Case, vocabulary: str) -> Row:
    """What is known of a case before it is judged."""
    worth = {name: case.worth[name] for name in ("visible", "noise", "true") if name in case.worth}
    worth |= {"true_error": case.worth["error"]} if worth else {}
    return {
        "case": case.id, "kind": case.kind, "base": case.base, "vocabulary": vocabulary, "level": case.level,
        "red_lines": case.red_lines, "expected": case.expected, "title": case.title, "sealed": case.sealed, **worth,
    }  # fmt: skip


def without_static(said: Row) -> str:
    """The grade that a measured candidate would have without static reviews: these only turn a claim into REVIEW."""
    actions = {action for rule, action, _ in said["rules"] if layer(rule) != "static"}
    if said["grade"] != "REVIEW" or "review" in actions:
        return str(said["grade"])
    return "DISCLOSE" if "disclose" in actions else "CONFIRMED"


def said(result: Result) -> Row:
    """What matters of a result."""
    gain = result.gain
    return {
        "grade": result.grade, "labels": result.labels, "runs": result.runs,
        "gain": round(gain.absolute, 6) if gain else None, "low": round(gain.low, 6) if gain else None,
        "high": round(gain.high, 6) if gain else None,
        "rules": sorted({(v.rule, v.action, v.red_line or "") for v in result.violations if v.action != "note"}),
    }  # fmt: skip


@cache
def code() -> str:
    """Digest of everything under src/ that can change a verdict."""
    digest, folder = hashlib.sha256(), Path(autosota.__file__).parent
    for path in sorted([*folder.rglob("*.py"), *folder.rglob("*.toml")]):
        if "demo" not in path.relative_to(folder).parts:
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def _job(prepared: Path, items: Sequence[tuple[cases.Case, str]], keep: Path | None, twice: bool) -> list[Row]:
    """All cases of one preparation, in a process of its own."""
    first, vocabulary = items[0]
    rows: list[Row] = []
    caught = (AutosotaError, ValueError, OSError, LookupError, TypeError, AttributeError)  # a defect is a row, too
    problem = ""
    try:
        prepare(prepared, first, vocabulary)
    except caught as error:
        problem = f"{type(error).__name__}: {error}"
    for case, words in items:
        try:
            if problem:
                raise ValueError(problem)
            rows.append(measured(case, words, prepared, twice))
        except caught as error:
            problem_here = f"{type(error).__name__}: {error}"
            rows.append({**facts(case, words), "error": problem_here, "trace": traceback.format_exc()[-600:]})
        rows[-1] |= {"code": code(), "of": cases.fingerprint(case)}
        print(_line(rows[-1]), file=sys.stderr, flush=True)
        if keep is not None:
            keep.parent.mkdir(parents=True, exist_ok=True)
            with keep.open("a") as file:
                file.write(json.dumps(rows[-1], default=list) + "\n")
    shutil.rmtree(prepared, ignore_errors=True)
    return rows


def _line(row: Row) -> str:
    if "error" in row:
        return f"{row['case']:<20}{row['vocabulary']:<7}ERROR {row['error'][:150]}"
    rules = ",".join(rule for rule, _, _ in row["full"]["rules"])
    alone = row["alone"] or {"gain": None, "grade": "-"}
    measured_gain = f"{alone['gain']:+.3g}" if alone["gain"] is not None else "-"
    return (
        f"{row['case']:<20}{row['vocabulary']:<7}{row['static']:<9}alone {alone['grade']!s:<12}"
        f"whole {row['full']['grade']!s:<12}gain {measured_gain:<9} true {row.get('true', 0):+.3g} [{rules}]"
    )


def run(
    chosen: Iterable[tuple[cases.Case, str]],
    workers: int,
    *,
    keep: Path | None = None,
    any_code: bool = False,
    twice: bool = True,
) -> list[Row]:
    """Every case in its vocabulary, grouped so that each preparation is made once.

    `keep`: a file of rows, to which each finished one is added; rows of it that still hold are not measured again.
    """
    kept = reusable(keep, any_code=any_code, twice=twice)
    rows: list[Row] = []
    groups: dict[tuple[object, ...], list[tuple[cases.Case, str]]] = {}
    for case, vocabulary in chosen:
        known = kept.get((case.id, vocabulary, cases.fingerprint(case)))
        if known is not None:
            rows.append(refreshed(known, case, vocabulary))
            continue
        key = (case.base, vocabulary, case.task, case.ship, json.dumps(dict(case.data), sort_keys=True), case.sealed)
        groups.setdefault(key, []).append((case, vocabulary))
    with tempfile.TemporaryDirectory(prefix="autosota-suite-") as name, ProcessPoolExecutor(workers, mp_context=SPAWN) as pool:
        os.chmod(name, 0o755)
        pieces = [items[start : start + 8] for items in groups.values() for start in range(0, len(items), 8)]
        pieces.sort(key=len, reverse=True)
        jobs = [pool.submit(_job, _place(Path(name), index), items, keep, twice) for index, items in enumerate(pieces)]
        for job in as_completed(jobs):
            rows += job.result()
    return sorted(rows, key=lambda row: (row["case"], row["vocabulary"]))


def reusable(keep: Path | None, *, any_code: bool, twice: bool) -> dict[tuple[str, str, str], Row]:
    """Kept rows by case, vocabulary and fingerprint, newest first; `twice`: those measured without static rules, too."""
    found: dict[tuple[str, str, str], Row] = {}
    for row in [json.loads(line) for line in keep.read_text().splitlines()] if keep and keep.exists() else []:
        if "error" not in row and (any_code or row["code"] == code()) and (row["alone"] or not twice):
            found[row["case"], row["vocabulary"], row["of"]] = row
    return found


def refreshed(row: Row, case: cases.Case, vocabulary: str) -> Row:
    """A kept row with what is known of its case now."""
    return {**row, **json.loads(json.dumps(facts(case, vocabulary), default=list))}


def _place(folder: Path, index: int) -> Path:
    made = folder / f"group-{index}"
    made.mkdir()
    return made


def vocabularies(case: cases.Case, wanted: str) -> tuple[str, ...]:
    """`one`: half of the cases in each, by their names' digest; the static tests look at both."""
    if wanted == "both":
        return cases.VOCABULARIES
    digest = hashlib.sha256(case.id.encode()).digest()
    return (cases.VOCABULARIES[digest[0] % 2],) if wanted == "one" else (wanted,)


def sampled(chosen: Sequence[cases.Case]) -> list[cases.Case]:
    """One case of each family, always the same one."""
    found: dict[str, cases.Case] = {}
    for case in sorted(chosen, key=lambda case: hashlib.sha256(case.id.encode()).hexdigest()):
        found.setdefault(case.family, case)
    return sorted(found.values(), key=lambda case: case.id)


def main() -> None:
    """Entry point of `make suite`."""
    from benchmarks import suite_table

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=(), help="beginnings of case names")
    parser.add_argument("--sample", action="store_true", help="one case of each family")
    parser.add_argument("--vocabulary", choices=("one", *cases.VOCABULARIES, "both"), default="one")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--any-code", action="store_true", help="use kept rows although the code has changed since")
    parser.add_argument("--kept", action="store_true", help="run nothing: the page from kept rows, whatever the code")
    parser.add_argument("--once", action="store_true", help="do not measure what the static rules reject")
    parser.add_argument("--keep", type=Path, default=KEPT, help=f"file of finished rows, default {KEPT.relative_to(ROOT)}")
    parser.add_argument("--out", type=Path, default=None, help=f"default {OUT.relative_to(ROOT)} where all cases run")
    options = parser.parse_args()
    chosen = [case for case in cases.cases() if not options.only or case.id.startswith(tuple(options.only))]
    chosen = sampled(chosen) if options.sample else chosen
    pairs = [(case, vocabulary) for case in chosen for vocabulary in vocabularies(case, options.vocabulary)]
    if options.kept:
        known = reusable(options.keep, any_code=True, twice=False)
        found = [(known.get((case.id, words, cases.fingerprint(case))), case, words) for case, words in pairs]
        rows = [refreshed(row, case, words) for row, case, words in found if row is not None]
    else:
        rows = run(pairs, options.workers, keep=options.keep, any_code=options.any_code, twice=not options.once)
    table = {"code": sorted({row["code"] for row in rows}), "rows": rows}
    everything = not options.only and not options.sample and options.vocabulary == "one"
    out = options.out or (OUT if everything else None)
    if out is not None:
        lines = ",\n".join(json.dumps({k: v for k, v in row.items() if k != "trace"}, default=list) for row in rows)
        out.write_text(f'{{"code": {json.dumps(table["code"])}, "rows": [\n{lines}\n]}}\n')
    text = suite_table.render(table)
    if out == OUT:
        OUT.with_suffix(".md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
