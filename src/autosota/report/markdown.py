"""report.md: the same content as the page, for terminals, pull requests and coding agents."""

from __future__ import annotations

from autosota.records import Experiment, Verdict
from autosota.report import diffs, story, words
from autosota.report.facts import Facts
from autosota.report.html import setting
from autosota.report.markup import block, code, document, plain, table

ROWS = 200


def render(facts: Facts) -> str:
    """The whole document."""
    return document(
        [
            f"# {plain(facts.title)}",
            _top(facts),
            _meaning(facts),
            _evidence(facts),
            _change(facts),
            _search(facts),
            _audits(facts),
            _ideas(facts),
            _costs(facts),
            _environment(facts),
            _paper(facts),
            _reproduce(facts),
            _notes(facts),
        ]
    )


def _top(facts: Facts) -> str:
    result = facts.result
    grade = (result.grade or "CLEAN") if result else "UNFINISHED"
    assurance = f" · {result.assurance}" if result else ""
    return f"**{grade}**{assurance} · {plain(facts.name)}\n\n**{plain(story.headline(facts), 1000)}**"


def _meaning(facts: Facts) -> str:
    result = facts.result
    if result is None:
        return ""
    lines = [f"- **{result.assurance}**: {words.ASSURANCES[result.assurance]}"]
    if result.grade:
        lines.insert(0, f"- **{result.grade}**: {words.GRADES[result.grade]}")
    lines += [f"- **{plain(name, 60)}**: {plain(words.label(name), 400)}" for name in result.labels[:40]]
    return "## What a reader must know\n\n" + "\n".join(lines)


def _evidence(facts: Facts) -> str:
    result, places = facts.result, facts.places
    rows: list[list[str]] = []
    if facts.reported is not None:
        rows.append(["paper", words.number(facts.reported), "", ""])
    if facts.baseline:
        rows.append(
            ["baseline, repeats", words.number(facts.mean, places), words.number(facts.noise, places), str(len(facts.repeats))]
        )
    for name, arm in (("baseline, fresh", result.baseline), ("best, fresh", result.best)) if result else ():
        if arm is not None and arm.values:
            rows.append([name, words.number(arm.mean, places), words.number(arm.std, places), str(len(arm.values))])
    parts = [table(["", "mean", "standard deviation", "runs"], rows, (1, 2, 3))]
    if result and result.gain:
        gain = result.gain
        parts.append(
            f"Gain {words.signed(gain.absolute, places)}, 95 % interval {words.signed(gain.low, places)} to "
            f"{words.signed(gain.high, places)}, p = {words.number(gain.p)}, {words.count(gain.pairs, 'pair')}, "
            f"attempt {gain.attempts}."
        )
    if story.visible(facts):
        parts.append(story.visible(facts))
    if result and result.best and result.best.values and facts.metric:
        pairs = zip(facts.pair_names, result.baseline.values, result.best.values, strict=False)
        parts.append(table(["pair", "baseline", "best", "gain"], [
            [plain(name), words.number(old, places), words.number(new, places), words.signed(facts.metric.gain(old, new), places)]
            for name, old, new in list(pairs)[:100]], (1, 2, 3)))  # fmt: skip
    if result and result.secondary:
        parts.append(table(["secondary metric", "baseline", "best", "within its margin"], [
            [plain(entry.name, 80), words.number(entry.baseline), words.number(entry.best),
             "yes" if entry.within_margin else "**no**"]
            for entry in result.secondary[:100]], (1, 2)))  # fmt: skip
    if result and result.checks:
        parts.append(table(["probe or control", "", "what was seen", "runs"], [
            [plain(check.name, 80), {"passed": "passed", "found": "**found**", "not-run": "not run"}[check.outcome],
             plain(check.text, 400), str(check.runs)]
            for check in result.checks[:40]], (3,)))  # fmt: skip
    return document(["## Evidence", *parts]) if any(parts) else ""


def _change(facts: Facts) -> str:
    parts = [table(["knob", "baseline", "best"], [
        [code(key, 160), code(old, 60), code(new, 60)] for key, old, new in facts.settings[:100]])]  # fmt: skip
    if facts.patch.strip():
        patch = diffs.parse(facts.patch)
        parts.append(
            f"{words.count(len(patch.files), 'file')} changed, +{patch.added} −{patch.dropped}; the whole patch is `best.patch`."
        )
        shown = facts.patch.split("\n")
        parts.append(block("\n".join(shown[:400]), "diff"))
        if len(shown) > 400:
            parts.append(f"Cut here; {len(shown) - 400:,} more lines are in `best.patch`.")
    return document(["## The change", *parts]) if any(parts) else ""


def _search(facts: Facts) -> str:
    if not facts.experiments:
        return ""
    told = ", ".join(f"{number} {words.STATUSES[status]}" for status, number in facts.statuses.most_common())
    rows = story.selected(facts.experiments, ROWS, keep=facts.best)
    cut = "" if len(rows) == len(facts.experiments) else (
        f"{len(rows)} of {len(facts.experiments):,} are shown; all are in `07-experiments.jsonl`.")  # fmt: skip
    return document([
        "## The search", f"{words.count(len(facts.experiments), 'experiment')}: {told}. {cut}",
        table(["no.", "on", "idea", "setting", "status", "score", "gain", "verdict", "time"],
              [_row(facts, entry) for entry in rows], (0, 1, 5, 6, 8)),
    ])  # fmt: skip


def _row(facts: Facts, entry: Experiment) -> list[str]:
    values = ", ".join(f"{name} = {value}" for name, value in setting(facts, entry))
    leap = " (leap)" if entry.leap else " (honeymoon)" if entry.honeymoon else ""
    note = f" – {plain(entry.note, 160)}" if entry.note else ""
    chosen = "**" if facts.best and facts.best.number == entry.number else ""
    return [
        f"{chosen}{entry.number}{chosen}", str(entry.parent) if entry.parent else "base", plain(entry.title, 120) + leap,
        code(values, 300), words.STATUSES[entry.status] + note, words.number(entry.score, facts.places),
        words.signed(entry.gain, facts.places), verdict(entry.verdict), words.duration(entry.seconds),
    ]  # fmt: skip


def verdict(found: Verdict | None) -> str:
    """A verdict in a cell: its status and the rules that spoke."""
    if found is None:
        return "–"
    rules = ", ".join(f"{violation.red_line or ''} {plain(violation.rule, 60)}".strip() for violation in found.violations[:4])
    return f"{found.status}: {rules}" if rules else found.status


def _audits(facts: Facts) -> str:
    rows = []
    for audit in story.audits(facts):
        found = "<br>".join(
            f"{plain(where, 80)}, {violation.action}, {plain(violation.rule, 80)}: {plain(violation.evidence, 300)}"
            + (f" ({code(violation.file, 160)})" if violation.file else "")
            for where, violation in audit.found[:8]
        )
        more = f"<br>and {audit.total - 8} more" if audit.total > 8 else ""
        rows.append([f"{audit.id} {plain(audit.title)}", audit.status, (found + more) or "nothing"])
    return document(["## Audits", table(["red line", "status of the claim", "found"], rows)])


def _ideas(facts: Facts) -> str:
    rows = [
        [plain(idea.title, 160), f"{idea.level}, {idea.scope}", idea.risk, f"{idea.priority:.2f}", plain(idea.source, 60),
         verdict(judged), str(facts.tried[idea.id])]
        for idea, judged in facts.ideas[:ROWS]
    ]  # fmt: skip
    return (
        document(["## Ideas", table(["idea", "kind", "risk", "priority", "source", "verdict", "tried"], rows, (3, 6))])
        if rows
        else ""
    )


def _costs(facts: Facts) -> str:
    rows = [[purpose, str(number), words.duration(seconds), words.duration(cpu), str(failed)]
            for purpose, number, seconds, cpu, failed in facts.purposes]  # fmt: skip
    parts = [table(["purpose", "evaluations", "time", "CPU time", "failed"], rows, (1, 2, 3, 4))]
    if facts.result:
        own = story.overhead(facts)
        told = f"Whole run {words.duration(facts.result.seconds)}"
        told += f", of it autosota's own part {words.duration(own)}" if own is not None else ""
        parts.append(f"{told}.")
    parts.append(f"Models: {facts.models}." if parts[0] or facts.usage else "")
    if facts.usage:
        head, *rows = facts.model_rows
        made = [[plain(item.purpose, 60), str(item.call), "<br>".join(plain(line, 200) for line in item.taken[:8]) or "nothing",
                 "<br>".join(plain(line, 200) for line in item.dropped[:8])] for item in facts.taken[:60]]  # fmt: skip
        parts.append(table(head, [[plain(cell, 60) for cell in row] for row in rows], (1, 2, 3, 4, 5, 6)))
        parts.append(table(["asked", "call", "taken", "not taken"], made, (1,)))
    return document(["## Costs", *parts]) if any(parts) else ""


def _environment(facts: Facts) -> str:
    environment = facts.environment
    if environment is None:
        return ""
    recipe, known = environment.recipe, environment.commands
    lines = [f"- interpreter: {code(recipe.python)}", f"- environment: {code(recipe.digest)}"]
    lines += [f"- evaluation: {code(line, 600)}" for line in (known.predict, known.score, known.evaluate) if line]
    lines.append(f"- threads: {environment.threads}, the same in every arm")
    lines.append("- protected: " + (", ".join(code(path, 160) for path in environment.zones.protected[:60]) or "nothing"))
    if recipe.packages:
        lines.append("- packages: " + ", ".join(plain(f"{entry.name} {entry.version}", 80) for entry in recipe.packages[:300]))
    repairs = table(["error", "skill", "outcome", "changed"], [
        [code(repair.signature, 240), plain(repair.skill, 60), repair.outcome, plain(", ".join(repair.changed[:20]))]
        for repair in environment.repairs[:100]])  # fmt: skip
    return document(["## Environment", "\n".join(lines), "Repairs, part of the baseline:" if repairs else "", repairs])


def _paper(facts: Facts) -> str:
    lines = []
    if facts.task:
        paper, source = facts.task.paper, facts.task.repository
        kind = facts.task.classification
        words_of_kind = f", read as a {kind.kind} paper: {plain(kind.reason, 200)}" if kind else ""
        lines.append(f"- paper: {plain(paper.title)} ({code(paper.source)}){words_of_kind}" if paper else "- paper: none")
        lines.append(f"- repository: {code(source.source)}" + (f" at {code(source.commit)}" if source.commit else ""))
    tree: list[str] = []
    if facts.rubric:
        lines += [f"- constraint: {plain(constraint.text)}" for constraint in facts.rubric.constraints[:60]]
        if facts.rubric.score is not None:
            lines.append(f"- rubric: {facts.rubric.score:.0%} of what could be decided passes")
        marks = {True: "[x]", False: "[ ]", None: "(undecided)"}
        for depth, criterion in story.leaves(facts.rubric.tree):
            mark = "" if criterion.sub_tasks else f" {marks[criterion.passed]}"
            tree.append(f"{'  ' * min(depth, 8)}-{mark} {plain(criterion.requirements)} ({words.number(criterion.weight)})")
    return document(["## Paper and rubric", "\n".join(lines), "\n".join(tree)]) if lines else ""


def _reproduce(facts: Facts) -> str:
    parts = [part for what, lines in story.commands(facts) for part in (what + ":", block(lines, "sh"))]
    if facts.protocol_hash:
        parts.append(f"Protocol lock: {code(facts.protocol_hash)}, in every line of the ledger.")
    return document(["## Reproduce", *parts])


def _notes(facts: Facts) -> str:
    lines = "\n".join(f"- {plain(note, 500)}" for note in story.notes(facts))
    return (
        document(["## Notes", lines, block(facts.notes) if facts.notes.strip() else ""]) if lines or facts.notes.strip() else ""
    )
