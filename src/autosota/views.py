"""Text for the terminal and JSON for scripts: a run, one experiment, all runs, and what a command prints at its end.

Pure reading of run directories. Every text ends without a newline; foreign text is put on one line, cut, and freed of control
characters, so nothing a repository wrote can drive the terminal.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from autosota import rubrics
from autosota.ask import usage
from autosota.errors import AutosotaError, UsageError
from autosota.formats import block, clip, count, duration, finite, number, percent, signed
from autosota.records import Baseline, Experiment, MetricSpec, Result, Task, Verdict
from autosota.report import story, words
from autosota.report.facts import Facts, gather
from autosota.report.html import setting
from autosota.store import CONFIG, EXPERIMENTS, FILES, HISTORY, PATCH, Store

DIFF_LINES = 400
RUNS = 10_000


class HasStore(Protocol):
    """What a command hands back: at least the run it worked on."""

    @property
    def store(self) -> Store: ...


# ── one run ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def run_json(store: Store) -> dict[str, Any]:
    """A run: its result as in the contract (null while unfinished), how far it got, its best and last experiments."""
    facts = gather(store)
    best = facts.best
    return {
        "run": facts.name,
        "path": str(store.folder),
        "title": facts.title,
        "headline": story.headline(facts),
        "finished": facts.result is not None,
        "result": facts.result.model_dump(mode="json") if facts.result else None,
        "baseline": {"mean": facts.mean, "noise": facts.noise, "reported": facts.reported},
        "best": best.model_dump(mode="json") if best else None,
        "experiments": {"total": len(facts.experiments), **facts.statuses},
        "ideas": len(facts.ideas),
        "evaluations": len(facts.measurements),
        "files": files(store),
    }


def run_text(store: Store) -> str:
    """A summary of a run that fits a screen: verdict, numbers, the improved and the last experiments, the ideas' outcome."""
    facts = gather(store)
    lines = [facts.title, story.headline(facts), ""]
    lines += _numbers(facts)
    if facts.experiments:
        lines += ["", *_rows(facts, _worth_showing(facts))]
        if len(facts.experiments) > len(_worth_showing(facts)):
            lines.append(f"… {len(facts.experiments):,} in all, in {EXPERIMENTS}; `autosota show RUN N` shows one")
    serious = [(place, violation) for place, violation in facts.violations if violation.action in ("reject", "review")][:8]
    if serious:
        lines += ["", "red lines"]
        lines += [
            f"  {violation.red_line or '–'}  {clip(place, 40)}: {clip(violation.evidence, 120)}" for place, violation in serious
        ]
    lines += ["", *(f"{name:<10} {path}" for name, path in files(store).items())]
    return "\n".join(lines).rstrip()


def _numbers(facts: Facts) -> list[str]:
    rows: list[tuple[str, str]] = []
    result = facts.result
    if result:
        rows.append(
            (
                "grade",
                f"{result.grade or 'clean'}, {result.assurance}"
                + (f"; {clip(', '.join(result.labels), 200)}" if result.labels else ""),
            )
        )
    if facts.metric:
        rows.append(
            ("metric", f"{clip(facts.metric.name, 60)}, {'higher' if facts.metric.direction == 'max' else 'lower'} is better")
        )
    if facts.reported is not None:
        rows.append(("paper", number(facts.reported)))
    if facts.mean is not None:
        noise = f" ± {number(facts.noise, facts.places)}" if facts.noise is not None else ""
        rows.append(("baseline", number(facts.mean, facts.places) + noise))
    if result and result.best and result.best.values:
        rows.append(("best", f"{number(result.best.mean, facts.places)} over {count(len(result.best.values), 'fresh run')}"))
    elif facts.best:
        rows.append(("best", f"{number(facts.best.score, facts.places)} in search, experiment {facts.best.number}"))
    if result and result.gain:
        gain = result.gain
        relative = f", {percent(gain.relative)}" if gain.relative is not None else ""
        interval = f"{signed(gain.low, facts.places)} to {signed(gain.high, facts.places)}"
        rows.append(("gain", f"{signed(gain.absolute, facts.places)}{relative}, 95 % interval {interval}"))
    if result and result.secondary:
        worse = [clip(entry.name, 40) for entry in result.secondary if not entry.within_margin]
        rows.append(("secondary", f"beyond its margin: {', '.join(worse)}" if worse else "all within their margins"))
    if result and result.checks:
        found = [clip(check.name, 40) for check in result.checks if check.outcome == "found"]
        made = sum(check.outcome != "not-run" for check in result.checks)
        told = f", found: {', '.join(found)}" if found else ""
        rows.append(("checks", f"{count(made, 'probe or control', 'probes and controls')} made{told}"))
    spent = result.seconds if result else sum(entry.seconds for entry in facts.measurements)
    if facts.measurements:
        rows.append(("spent", f"{count(len(facts.measurements), 'evaluation')}, {duration(spent)}"))
    return [f"{name:<10} {text}" for name, text in rows]


def _worth_showing(facts: Facts) -> list[Experiment]:
    """All experiments of a short search; of a long one the last improved and the last ones, twenty together."""
    if len(facts.experiments) <= 30:
        return list(facts.experiments)
    improved = [entry for entry in facts.experiments if entry.status == "improved"][-12:]
    chosen = {entry.number for entry in [*improved, *facts.experiments[-8:]]}
    return [entry for entry in facts.experiments if entry.number in chosen]


def _rows(facts: Facts, experiments: Sequence[Experiment]) -> list[str]:
    lines = [f"{'no.':>5} {'on':>5}  {'status':<13} {'score':>10} {'gain':>10}  idea"]
    for entry in experiments:
        star = "*" if facts.best and entry.number == facts.best.number else " "
        lines.append(
            f"{entry.number:>4}{star} {entry.parent or 'base':>5}  {words.STATUSES[entry.status]:<13} "
            f"{number(entry.score, facts.places):>10} {signed(entry.gain, facts.places):>10}  {clip(entry.title, 60)}"
        )
    return lines


def files(store: Store) -> dict[str, str]:
    """The files a person opens, those that exist: name → path."""
    known = {"report": "report.html", "text": "report.md", "patch": PATCH}
    return {name: str(store.folder / path) for name, path in known.items() if (store.folder / path).is_file()}


# ── one experiment ────────────────────────────────────────────────────────────────────────────────────────────────────


def experiment_json(store: Store, number: int) -> dict[str, Any]:
    """An experiment's record with its idea and its diff. Raises UsageError where there is no such experiment."""
    entry = _find(store, number)
    idea, verdict = next(((idea, verdict) for idea, verdict in store.ideas() if idea.id == entry.idea), (None, None))
    return {
        **entry.model_dump(mode="json"),
        "idea_record": idea.model_dump(mode="json") if idea else None,
        "idea_verdict": verdict.model_dump(mode="json") if verdict else None,
        "cost": usage.total(_asked(store, number)).model_dump(mode="json"),
        "diff": diff(store, entry),
    }


def _asked(store: Store, number: int) -> list[usage.Usage]:
    return [line for line in usage.read(store) if line.experiment == number]


def experiment_text(store: Store, number: int) -> str:
    """An experiment: idea, setting, measurements, verdict, diff to its parent. Raises UsageError where there is none."""
    facts = gather(store)
    entry = _find(store, number)
    idea = next((idea for idea, _ in facts.ideas if idea.id == entry.idea), None)
    lines = [f"experiment {entry.number}: {clip(entry.title, 120)}"]
    parent = f"experiment {entry.parent}" if entry.parent else "the baseline"
    kind = f"{entry.level}{', leap' if entry.leap else ''}{', honeymoon' if entry.honeymoon else ''}"
    lines.append(f"{words.STATUSES[entry.status]}, {kind}, made on {parent}, {duration(entry.seconds)}")
    if entry.note:
        lines.append(clip(entry.note, 400))
    if idea and idea.rationale:
        lines += ["", clip(idea.rationale, 600)]
    if entry.setting:
        lines += ["", *(f"  {name} = {value}" for name, value in setting(facts, entry))]
    if entry.measurements:
        lines += ["", *_measured(entry)]
        score = f"score {_shown(facts, entry.score)}, gain over {parent} {signed(entry.gain, facts.places)}"
        lines.append(score)
    lines += ["", *_verdict(entry.verdict)]
    if asked := _asked(store, number):
        lines += ["", f"models: {usage.text(asked)}; `autosota show RUN {number} --prompts` shows them"]
    text = diff(store, entry)
    if text:
        shown = block(text, 200_000).split("\n")
        lines += ["", *shown[:DIFF_LINES]]
        if len(shown) > DIFF_LINES:
            lines.append(f"… {len(shown) - DIFF_LINES:,} more lines")
    return "\n".join(lines).rstrip()


def _shown(facts: Facts, value: float | None) -> str:
    return number(value, facts.places)


def _measured(entry: Experiment) -> list[str]:
    names = list(dict.fromkeys(name for trial in entry.measurements for name in trial.values))[:8]
    head = f"{'seed':>12} " + " ".join(f"{clip(name, 14):>14}" for name in names) + f" {'time':>9} {'exit':>5}"
    rows = [
        f"{trial.seed:>12} " + " ".join(f"{number(trial.values.get(name)):>14}" for name in names)
        + f" {duration(trial.seconds):>9} {trial.exit_code:>5}"
        for trial in entry.measurements[:100]
    ]  # fmt: skip
    return [head, *rows]


def _verdict(verdict: Verdict | None) -> list[str]:
    if verdict is None:
        return ["verdict: none yet"]
    lines = [f"verdict: {verdict.status}"]
    for violation in verdict.violations[:20]:
        place = f" ({clip(violation.file, 120)}{f':{violation.line}' if violation.line else ''})" if violation.file else ""
        lines.append(
            f"  {violation.red_line or '–'} {clip(violation.rule, 60)}, {violation.action}: "
            f"{clip(violation.evidence, 300)}{place}"
        )
        if violation.fix:
            lines.append(f"     an honest way: {clip(violation.fix, 300)}")
    return lines


def _find(store: Store, number: int) -> Experiment:
    experiments = store.experiments()
    for entry in experiments:
        if entry.number == number:
            return entry
    known = f"it has 1 to {max(entry.number for entry in experiments)}" if experiments else "it has none yet"
    raise UsageError(f"{store.folder} has no experiment {number}", known)


def diff(store: Store, experiment: Experiment) -> str:
    """The experiment's change against its parent; "" where it has no commit or the history is gone."""
    from autosota.workspace import Workspace

    history, task, environment = store.folder / HISTORY, store.task(), store.environment()
    if experiment.commit is None or environment is None or task is None or not (history / "HEAD").is_file():
        return ""
    parents = {entry.number: entry.commit for entry in store.experiments()}
    parent = parents.get(experiment.parent) or environment.commit
    workspace = Workspace(history, Path(task.repository.path))
    try:
        return workspace.diff(parent, experiment.commit)
    except AutosotaError:
        return ""
    finally:
        workspace.close()


# ── all runs ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def list_json(folder: Path) -> list[dict[str, Any]]:
    """Every run under `folder`, newest first: run, path, title, state, grade, gain, modified. Unreadable runs say why."""
    rows = []
    for path in _runs(folder):
        row: dict[str, Any] = {"run": "/".join(path.absolute().parts[-2:]), "path": str(path), "modified": _modified(path)}
        store = Store(path)
        try:
            result, task = store.result(), _title(path)
        except AutosotaError as error:
            rows.append(
                {**row, "title": "", "state": "unreadable", "grade": None, "gain": None, "problem": clip(error.message, 300)}
            )
            continue
        grade = result.grade if result else None
        gain = result.gain.model_dump(mode="json") if result and result.gain else None
        rows.append({**row, "title": task, "state": "finished" if result else _state(path), "grade": grade, "gain": gain})
    return sorted(rows, key=lambda row: (-row["modified"], row["path"]))


def list_text(folder: Path) -> str:
    """The runs as a table, newest first."""
    import datetime

    rows = list_json(folder)
    if not rows:
        return f"no runs under {folder}"
    width = min(max(len(row["run"]) for row in rows), 50)
    lines = [f"{'run':<{width}}  {'last change':<16}  {'grade':<12} {'gain':>10}  title"]
    for row in rows:
        when = datetime.datetime.fromtimestamp(row["modified"]).strftime("%Y-%m-%d %H:%M")
        grade = row["grade"] or ("clean" if row["state"] == "finished" else row["state"])
        gain = signed(row["gain"]["absolute"]) if row["gain"] else "–"
        title = clip(row["title"] or row.get("problem", ""), 60)
        lines.append(f"{clip(row['run'], width):<{width}}  {when}  {grade:<12} {gain:>10}  {title}")
    return "\n".join(lines)


def _runs(folder: Path) -> list[Path]:
    """Folders that hold a run.toml or a result, three levels deep at most; links are not followed."""
    found: list[Path] = []
    pending = [(folder, 0)]
    while pending and len(found) < RUNS:
        path, depth = pending.pop()
        try:
            if (path / CONFIG).is_file() or (path / FILES[Result]).is_file():
                found.append(path)
                continue
            inside = [child for child in path.iterdir() if child.is_dir() and not child.is_symlink()] if depth < 3 else []
        except OSError:
            continue
        pending += [(child, depth + 1) for child in inside if not child.name.startswith(".")]
    return found


def _modified(path: Path) -> float:
    times = []
    for name in (CONFIG, FILES[Result], EXPERIMENTS, "measurements.jsonl"):
        try:
            times.append((path / name).stat().st_mtime)
        except OSError:
            continue
    return max(times, default=0.0)


def _state(path: Path) -> str:
    """How far a run without a result has come: a replication ends with its baseline."""
    if (path / EXPERIMENTS).is_file():
        return "searching"
    return "replicated" if (path / FILES[Baseline]).is_file() else "started"


def _title(path: Path) -> str:
    """The paper's title or the repository's name, read without the paper's whole text."""
    try:
        task = json.loads((path / FILES[Task]).read_bytes())
        paper = task.get("paper") or {}
        source = str(task["repository"]["source"]).rstrip("/").rsplit("/", 1)[-1]
        return clip(paper.get("title") or source, 200)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ""


# ── what a command prints at its end ──────────────────────────────────────────────────────────────────────────────────


def finished(store: Store) -> str:
    """The end of `run`: a handful of lines with grade, numbers, and where patch and report are."""
    facts = gather(store)
    result = facts.result
    if result is None and facts.baseline is not None and facts.baseline.reproduced == "no":
        lines = [f"The paper's number was not reproduced: {number(facts.mean, facts.places)}, paper {number(facts.reported)}.",
                 "Nothing was optimized; --from-here goes on from what was measured."]  # fmt: skip
    else:
        lines = [f"{result.grade or 'clean'} ({result.assurance})" if result else "unfinished", story.headline(facts)]
    for name in result.labels if result else ():
        lines.append(f"  {clip(name, 60)}: {words.label(name)}")
    if result and result.secondary:
        told = ", ".join(
            f"{clip(entry.name, 40)} {number(entry.baseline)} → {number(entry.best)}{'' if entry.within_margin else ' (!)'}"
            for entry in result.secondary[:6]
        )
        lines.append(f"  beside it: {told}")
    lines.append("")
    lines += [f"{name:<8} {path}" for name, path in files(store).items() if name != "text"]
    lines.append(f"{'again':<8} autosota verify {store.folder}" if result and result.patch else f"{'run':<8} {store.folder}")
    return "\n".join(lines)


def audited(result: Result, folder: Path) -> str:
    """The end of `audit` and `verify`: grade, headline, each violation with its evidence, where the records are."""
    facts = Facts(folder=folder, result=result)
    lines = [f"{result.grade or 'clean'} ({result.assurance})", story.headline(facts)]
    lines += _verdict(Verdict.of(result.violations))[1:]
    lines += [f"  {clip(name, 60)}: {words.label(name)}" for name in result.labels]
    lines += ["", f"{'records':<8} {folder}"]
    return "\n".join(lines)


def _within(spec: MetricSpec, baseline: Baseline) -> bool | None:
    """Is the metric the paper's? None where the paper reports none."""
    values = [item.values[spec.name] for item in baseline.measurements if item.ok and spec.name in item.values]
    return rubrics.within(spec, values)


def replication(outcome: HasStore) -> str:
    """The end of `replicate`: each metric beside the paper's, repairs, rubric score. Raises StageError if a record is broken."""
    store = outcome.store
    facts = gather(store)
    if facts.baseline is None or facts.rubric is None:
        return f"{story.headline(facts)}\n\nrun      {store.folder}"
    told = {"yes": "Reproduced.", "partly": "Partly reproduced.", "no": "Not reproduced.", "unknown": "Nothing to compare with."}
    lines = [told[facts.baseline.reproduced], ""]
    lines.append(f"{'metric':<24} {'paper':>10} {'measured':>10} {'± noise':>10} {'tolerance':>10}")
    for spec in facts.rubric.metrics[:40]:
        mean, noise = finite(facts.baseline.mean.get(spec.name)), finite(facts.baseline.noise.get(spec.name))
        allowed = rubrics.tolerance(
            spec, [item.values[spec.name] for item in facts.baseline.measurements if item.ok and spec.name in item.values]
        )
        shown = (number(spec.reported), number(mean), number(noise), number(allowed) if spec.reported is not None else "")
        lines.append(f"{clip(spec.name, 24):<24} " + " ".join(f"{text:>10}" for text in shown))
    reasons = [note for note in facts.baseline.notes if note.startswith(("substitute: ", "reduced settings: "))]
    if facts.baseline.reproduced == "partly":
        missed = [spec.name for spec in facts.rubric.metrics if _within(spec, facts.baseline) is False]
        reasons += [f"beside the main metric, {', '.join(missed[:6])} is not the paper's"] if missed else []
    lines += [f"  {clip(reason, 160)}" for reason in reasons]
    if facts.environment and facts.environment.repairs:
        lines += ["", f"{count(len(facts.environment.repairs), 'repair')}:"]
        lines += [
            f"  {repair.outcome:<7} {clip(repair.skill, 40)}: {clip(repair.note or repair.signature, 120)}"
            for repair in facts.environment.repairs[:20]
        ]
    if facts.rubric.score is not None:
        lines += ["", f"rubric   {facts.rubric.score:.0%} of what could be decided passes"]
        missed_leaves = [leaf for leaf in rubrics.leaves(facts.rubric.tree) if leaf.passed is False]
        lines += [f"  fails: {clip(leaf.requirements, 120)} ({clip(leaf.check or '', 60)})" for leaf in missed_leaves[:12]]
    lines += [f"{name:<8} {path}" for name, path in files(store).items() if name == "report"]
    lines.append(f"{'run':<8} {store.folder}")
    return "\n".join(lines)
