"""The cheat suite: what is rejected, neutralised or missed, by red line and by layer, and what reported gains are worth.

    python -m benchmarks.suite [--only NAME …] [--vocabulary plain|other] [--workers 2]

Every case runs through `autosota audit` in process, with this interpreter's packages. Beside the whole system two layers alone:
the static rules, and the runtime with its statistics and static rules switched off. Writes docs/suite.json and docs/suite.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from autosota import audit, compose, config, pipeline  # noqa: E402
from autosota.agents.supervisor import Supervisor  # noqa: E402
from autosota.errors import AutosotaError  # noqa: E402
from autosota.progress import Progress  # noqa: E402
from autosota.records import Case as Known  # noqa: E402
from autosota.records import Patch, Result, Verdict  # noqa: E402
from tests.suite import cases, truth  # noqa: E402

OUT = ROOT / "docs" / "suite.json"
Row = dict[str, Any]


class Unscreened(Supervisor):
    """The runtime layer alone: no static rule looks at the change."""

    def screen_patch(self, patch: Patch, case: Known) -> Verdict:
        return Verdict.of(())


def flags(repository: Path) -> dict[str, Any]:
    """What a user would write: the repository, and this interpreter."""
    return {"repository": str(repository), "python": sys.executable, "seeds": 5}


def prepare(folder: Path, files: cases.Files) -> Path:
    """A base's repository with its environment, objective and baseline, made once for all its cases."""
    repository = cases.write(files, folder / "repository")
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
                return audit._judge(parts, known, workspace, str(candidate), command="audit")
            finally:
                workspace.close()


def measured(case: cases.Case, vocabulary: str, prepared: Path, worth: bool) -> Row:
    """One case in one vocabulary: what each layer says, and what the change is worth."""
    row: Row = {"case": case.id, "family": case.family, "kind": case.kind, "base": case.base, "vocabulary": vocabulary,
                "red_lines": case.red_lines, "overtness": case.level, "expected": case.expected,
                "title": case.title}  # fmt: skip
    before = cases.repository(case)
    with tempfile.TemporaryDirectory(prefix="suite-", dir=prepared) as name:
        folder = Path(name)
        tree = cases.write(cases.spoken(cases.changed(case, before), case.base, vocabulary), folder / "candidate")
        start = time.monotonic()
        result = judge(prepared, tree, folder / "full", screened=True)
        row["seconds"] = round(time.monotonic() - start, 1)
        row["full"] = said(result)
        static = {v["action"] for v in row["full"]["violations"] if v["layer"] == "static"}
        row["static"] = "REJECTED" if "reject" in static else "REVIEW" if "review" in static else "cleared"
        alone = result if not static & {"reject", "review"} else judge(prepared, tree, folder / "alone", screened=False)
        row["runtime"] = said(alone)
        row.update(value(case) if worth and vocabulary == "plain" else {})
    return row


def value(case: cases.Case) -> Row:
    """What the change shows, and what it is worth on fresh rows."""
    seen, noise = truth.visible(case)
    fresh = truth.true(case)
    return {
        "visible": seen.mean,
        "noise": noise,
        "true": fresh.mean if fresh else 0.0,
        "true_error": fresh.error if fresh else 0.0,
    }


def said(result: Result) -> Row:
    """What matters of a result."""
    measured_rules = ("metric-guard", "compute-guard", "floor-crossed", "ceiling-crossed", "clock-disagrees", "does-not-run",
                      "unstable")  # fmt: skip
    return {
        "grade": result.grade, "gain": result.gain.absolute if result.gain else None,
        "low": result.gain.low if result.gain else None, "high": result.gain.high if result.gain else None,
        "labels": result.labels, "runs": 2 * result.gain.pairs if result.gain else 0,
        "violations": [
            {"red_line": v.red_line, "rule": v.rule, "action": v.action, "evidence": v.evidence[:160],
             "layer": "runtime" if v.rule in measured_rules else "static"}
            for v in result.violations
        ],
    }  # fmt: skip


def static(case: cases.Case, vocabulary: str, folder: Path) -> Row:
    """What `autosota audit --static` says: runs nothing."""
    before = cases.repository(case)
    repository = cases.write(cases.spoken(before, case.base, vocabulary), folder / "repository")
    tree = cases.write(cases.spoken(cases.changed(case, before), case.base, vocabulary), folder / "candidate")
    with Progress.open(quiet=True) as live:
        result, _ = audit.audit(
            flags(repository), candidate=str(tree), static=True, accept=None, out=folder / f"run-{time.monotonic_ns()}", live=live
        )
    return said(result)


def _job(prepared: Path, items: Sequence[tuple[cases.Case, str]], worth: bool, keep: Path | None) -> list[Row]:
    """All cases of one preparation, in a process of its own."""
    first, vocabulary = items[0]
    rows: list[Row] = []
    prepare(prepared, cases.spoken(cases.repository(first), first.base, vocabulary))
    for case, words in items:
        try:
            rows.append(measured(case, words, prepared, worth))
        except (AutosotaError, ValueError, OSError) as error:
            rows.append({"case": case.id, "family": case.family, "kind": case.kind, "base": case.base, "vocabulary": words,
                         "error": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()[-600:]})  # fmt: skip
        print(_line(rows[-1]), file=sys.stderr, flush=True)
        if keep is not None:
            with keep.open("a") as file:
                file.write(json.dumps(rows[-1], default=list) + "\n")
    shutil.rmtree(prepared, ignore_errors=True)
    return rows


def _line(row: Row) -> str:
    if "error" in row:
        return f"{row['case']:<22}{row['vocabulary']:<7}ERROR {row['error'][:150]}"
    rules = ",".join(sorted({v["rule"] for v in row["full"]["violations"] if v["action"] != "note"}))
    figures = " ".join(f"{name} {row[name]:+.3g}" for name in ("visible", "noise", "true") if name in row)
    gain = row["runtime"]["gain"]
    reported = f"runtime gain {gain:+.3g}" if gain is not None else ""
    return (f"{row['case']:<22}{row['vocabulary']:<7}static {row['static']:<9}runtime {row['runtime']['grade']!s:<12}"
            f"full {row['full']['grade']!s:<12}{figures} {reported} [{rules}]")  # fmt: skip


def run(
    chosen: Sequence[cases.Case], vocabularies: Sequence[str], workers: int, *, worth: bool = True, keep: Path | None = None
) -> list[Row]:
    """Every case in every vocabulary, grouped so that each preparation is made once.

    `keep`: a file of rows, to which each finished one is added; those that are there are not run again.
    """
    rows: list[Row] = [json.loads(line) for line in keep.read_text().splitlines()] if keep and keep.exists() else []
    done = {(row["case"], row["vocabulary"]) for row in rows}
    groups: dict[tuple[object, ...], list[tuple[cases.Case, str]]] = {}
    for case in chosen:
        for vocabulary in vocabularies:
            if (case.id, vocabulary) in done:
                continue
            key = (case.base, vocabulary, case.task, json.dumps(dict(case.data), sort_keys=True))
            groups.setdefault(key, []).append((case, vocabulary))
    with tempfile.TemporaryDirectory(prefix="autosota-suite-") as name, ProcessPoolExecutor(workers) as pool:
        os.chmod(name, 0o755)
        pieces = [items[start : start + 12] for items in groups.values() for start in range(0, len(items), 12)]
        jobs = [pool.submit(_job, _place(Path(name), index), items, worth, keep) for index, items in enumerate(pieces)]
        for job in as_completed(jobs):
            rows += job.result()
    return sorted(rows, key=lambda row: (row["case"], row["vocabulary"]))


def _place(folder: Path, index: int) -> Path:
    made = folder / f"group-{index}"
    made.mkdir()
    return made


def _print_static(chosen: Sequence[cases.Case], vocabularies: Sequence[str]) -> None:
    for case in chosen:
        for vocabulary in vocabularies:
            with tempfile.TemporaryDirectory(prefix="suite-") as name:
                found = static(case, vocabulary, Path(name))
            rules = [f"{v['rule']}({v['action'][:2]})" for v in found["violations"] if v["action"] != "note"]
            print(f"{case.id:<24}{vocabulary:<7}{found['grade']!s:<10}{' '.join(sorted(set(rules)))}", flush=True)


def main() -> None:
    """Entry point of `make suite`."""
    from benchmarks import suite_table

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=(), help="beginnings of case names")
    parser.add_argument("--vocabulary", choices=cases.VOCABULARIES)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--no-worth", action="store_true", help="leave out what changes show and are worth on fresh rows")
    parser.add_argument("--keep", type=Path, default=None, help="file of finished rows, to go on after an interruption")
    parser.add_argument("--out", type=Path, default=None, help=f"default {OUT.relative_to(ROOT)} where all cases run")
    parser.add_argument("--static", action="store_true", help="the static rules alone, which run nothing")
    options = parser.parse_args()
    chosen = [case for case in cases.cases() if not options.only or case.id.startswith(tuple(options.only))]
    vocabularies = (options.vocabulary,) if options.vocabulary else cases.VOCABULARIES
    if options.static:
        _print_static(chosen, vocabularies)
        return
    start = time.monotonic()
    rows = run(chosen, vocabularies, options.workers, worth=not options.no_worth, keep=options.keep)
    table = {"seconds": round(time.monotonic() - start), "cases": len(chosen), "rows": rows}
    out = options.out or (OUT if not options.only and not options.vocabulary else None)
    if out is not None:
        out.write_text(json.dumps(table, indent=1, default=list) + "\n")
    text = suite_table.render(table)
    if out == OUT:
        OUT.with_suffix(".md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
