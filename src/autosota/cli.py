"""Commands: translate arguments, print results. Everything else happens elsewhere, and is imported only when needed."""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from autosota import __version__
from autosota.errors import AutosotaError, UsageError
from autosota.formats import block

if TYPE_CHECKING:
    from autosota.records import Result

GRADE_CODES = {"CONFIRMED": 0, "DISCLOSE": 0, None: 0, "REJECTED": 5, "UNCONFIRMED": 6, "SUGGESTIVE": 6, "REVIEW": 7}
"""Exit codes of `audit` and `verify` (contract, section 2)."""
_LATER = ("watch", "fleet")
"""Commands of the contract that are still to come."""
_GRACE = 20
"""Seconds an interrupted command has to end its processes and write what it knows."""


class _Parser(argparse.ArgumentParser):
    """Usage mistakes become UsageError, so that --json has one form for all failures."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, f"see `{self.prog} --help`")


def main(arguments: list[str] | None = None) -> int:
    """Entry point. Returns the exit code."""
    if arguments is None and sys.getfilesystemencoding() != "utf-8":
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # file names are UTF-8 whatever the locale
    words = sys.argv[1:] if arguments is None else arguments
    as_json = "--json" in words
    _tolerate_streams()
    try:
        if words and words[0] in _LATER:
            raise UsageError(f"this version has no `autosota {words[0]}`", "`autosota --help` lists what it has")
        options = _parser().parse_args(words)
        as_json = getattr(options, "json", False)
        if arguments is None:
            _listen_for_signals()
        return int(options.call(options))
    except AutosotaError as error:
        return _fail(error.kind, error.message, error.hint, error.exit_code, as_json)
    except OSError as error:
        message = f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
        return _fail("machine", message, "is the disk full, or a file not ours to use? what finished is saved", 1, as_json)
    except KeyboardInterrupt:
        return _fail("interrupted", "interrupted; what finished is saved", "run the same command again to go on", 130, as_json)


def _fail(kind: str, message: str, hint: str, code: int, as_json: bool) -> int:
    if as_json:
        _say(json.dumps({"error": {"kind": kind, "message": message, "hint": hint}}), sys.stdout)
    _say(f"autosota: {message}" + (f"\nhint: {hint}" if hint else ""), sys.stderr)
    return code


def _say(text: str, stream: TextIO) -> None:
    """Print, without anything that drives a terminal; a reader that has gone does not change how the command ends."""
    try:
        print(block(text, sys.maxsize), file=stream, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _tolerate_streams() -> None:
    """Closed standard streams lead nowhere, and characters that a terminal lacks are replaced."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, this one
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "r+", encoding="utf-8"))  # noqa: SIM115 - as long-lived as the process
        elif number and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _listen_for_signals() -> None:
    """SIGTERM and a closed terminal end a command as Ctrl-C does: the first with what is needed, a second one at once."""

    def leave(number: int, frame: object) -> None:
        os._exit(130)

    def interrupt(number: int, frame: object) -> None:
        for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
            signal.signal(other, leave)
        signal.alarm(_GRACE)
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupt)


# ── commands ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _run(options: argparse.Namespace) -> int:
    from autosota import compose, progress, views

    with progress.Progress.open(sys.stderr, quiet=options.quiet) as live:
        outcome = compose.run(_flags(options), out=_out(options), live=live, until=options.command)
    if options.command == "replicate":
        _print(options, outcome.replication_json(), views.replication(outcome))
    else:
        _print(options, outcome.result_json(), views.finished(outcome.store))
    return outcome.exit_code


def _demo(options: argparse.Namespace) -> int:
    from autosota.demo import flags

    for name, value in flags().items():
        if getattr(options, name, None) in (None, ()):
            setattr(options, name, value)
    options.command = "run"
    return _run(options)


def _init(options: argparse.Namespace) -> int:
    from autosota import compose, progress, taskfile

    folder = Path(options.repository or ".").absolute()
    target = Path(options.out) if options.out else folder / taskfile.FILE_NAME
    if target.exists() and not options.yes:
        raise UsageError(f"{target} exists", "give --yes to replace it, or --out FILE")
    with progress.Progress.open(sys.stderr, quiet=options.quiet) as live:
        text = compose.task_file({"repository": str(folder), "paper": options.paper, "python": options.python}, live)
    if target.absolute().parent != folder:
        text = text.replace('repository = "."', f"repository = {json.dumps(str(folder))}", 1)
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}", "give a file that can be written with --out") from None
    _print(options, {"path": str(target)}, f"wrote {target}\nread it, correct it, then: autosota run {folder}")
    return 0


def _audit(options: argparse.Namespace) -> int:
    from autosota import audit, progress, views

    with progress.Progress.open(sys.stderr, quiet=options.quiet) as live:
        result, folder = audit.audit(
            _flags(options),
            candidate=options.candidate,
            static=options.static,
            accept=options.accept,
            out=_out(options),
            live=live,
        )
    _print(options, _plain(result), views.audited(result, folder))
    return GRADE_CODES[result.grade]


def _verify(options: argparse.Namespace) -> int:
    from autosota import progress, verification, views

    with progress.Progress.open(sys.stderr, quiet=options.quiet) as live:
        result, folder = verification.verify(
            Path(options.run),
            out=_out(options),
            live=live,
            repository=Path(options.repository) if options.repository else None,
            records_only=options.records_only,
            python=options.python,
        )
    _print(options, _plain(result), views.audited(result, folder))
    return GRADE_CODES[result.grade]


def _split(options: argparse.Namespace) -> int:
    from autosota import progress, splitting

    options.paper = None
    with progress.Progress.open(sys.stderr, quiet=options.quiet) as live:
        found = splitting.split(_flags(options), out=_out(options), live=live)
    _print(options, found.model_dump(mode="json"), splitting.text(found))
    return 0


def _show(options: argparse.Namespace) -> int:
    from autosota import views

    store = _store(options.run)
    if options.prompts:
        from autosota.transcript import prompts_json, prompts_text

        _print(options, prompts_json(store, options.number), prompts_text(store, options.number))
    elif options.number is None:
        _print(options, views.run_json(store), views.run_text(store))
    else:
        _print(options, views.experiment_json(store, options.number), views.experiment_text(store, options.number))
    return 0


def _idea(options: argparse.Namespace) -> int:
    from autosota.agents import steering

    idea, verdict, where = steering.suggest(_store(options.run), " ".join(options.text))
    found = "".join(f"\n  {v.red_line}: {v.evidence}" for v in verdict.violations)
    told = {"id": idea.id, "level": idea.level, "title": idea.title, "verdict": verdict.model_dump(mode="json"), "state": where}
    _print(options, told, f"{idea.id} ({idea.level}, {verdict.status}): {idea.title}{found}\n{where}")
    return 0


def _list(options: argparse.Namespace) -> int:
    from autosota import views

    folder = Path(options.folder)
    _print(options, {"runs": views.list_json(folder)}, views.list_text(folder))
    return 0


def _clean(options: argparse.Namespace) -> int:
    from autosota import cleaning

    report = cleaning.clean(Path(options.folder), delete=options.yes)
    _print(options, report.json(), report.text())
    return 0


def _report(options: argparse.Namespace) -> int:
    from autosota import report

    paths = [str(path) for path in report.write(_store(options.run))]
    _print(options, {"files": paths}, "\n".join(paths))
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from autosota import doctor

    findings = doctor.examine()
    _print(options, doctor.as_json(findings), doctor.as_text(findings))
    return 0


# ── arguments ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _parser() -> _Parser:
    parser = _Parser(
        prog="autosota",
        description="Takes a research paper and its code and hands back a better version that can be believed, "
        "or an honest 'no gain found'.",
        epilog="Start with `autosota demo`, then `autosota run PAPER REPO`. `autosota doctor` tells what this machine can do.",
    )
    parser.add_argument("--version", action="version", version=f"autosota {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)

    for name, words in (
        ("run", "everything: environment, baseline, ideas, search, confirmation, report; run again to resume"),
        ("replicate", "stop after the baseline: is the paper's number reproduced"),
    ):
        command = _command(commands, name, words, _run)
        command.add_argument("paper", nargs="?", metavar="PAPER", help="PDF, LaTeX, HTML or Markdown file, arXiv id or URL")
        command.add_argument("repository", nargs="?", metavar="REPO", help="directory, archive or git URL")
        _run_flags(command)

    command = _command(commands, "demo", "a bundled paper and repository through the whole pipeline; no key needed", _demo)
    _run_flags(command)

    command = _command(commands, "init", "write a task file from what code analysis finds", _init)
    command.add_argument("repository", nargs="?", metavar="REPO", help="directory (default: this one)")
    command.add_argument("--paper", help="the paper, if it is not found")
    command.add_argument("--python", help="use this interpreter's environment")
    command.add_argument("--out", help="file to write (default: autosota.toml in REPO)")
    command.add_argument("--yes", action="store_true", help="replace an existing file")

    command = _command(commands, "audit", "judge a change made by anybody against a task file", _audit)
    command.add_argument("--candidate", required=True, metavar="PATH", help="patch file, directory or git revision")
    command.add_argument("--static", action="store_true", help="stop before running anything")
    command.add_argument("--accept", metavar="REASON", help="settle a REVIEW; recorded with who and when")
    _run_flags(command)

    command = _command(commands, "verify", "measure baseline and best of a finished run again in fresh environments", _verify)
    command.add_argument("run", metavar="RUN", help="run directory, or the bundle.zip of one")
    _verify_flags(command)

    command = _command(commands, "split", "propose the predict/score separation for a one-command evaluation", _split)
    command.add_argument("repository", nargs="?", metavar="REPO", help="directory, archive or git URL")
    _run_flags(command)

    command = _command(commands, "idea", "put an idea of yours into a run's library, under way or finished", _idea)
    command.add_argument("run", metavar="RUN", help="run directory")
    command.add_argument("text", nargs="+", metavar="TEXT", help='"set lr to 0.01", "try keep_best_copy", or the change in words')

    command = _command(commands, "show", "a run, or its experiment N", _show)
    command.add_argument("run", metavar="RUN", help="run directory")
    command.add_argument("number", nargs="?", type=int, metavar="N", help="experiment")
    command.add_argument("--prompts", action="store_true", help="what models were asked, and what they replied")

    for name, words, call in (
        ("list", "all runs", _list),
        ("clean", "what can be deleted and how much that frees", _clean),
    ):
        command = _command(commands, name, words, call)
        command.add_argument("folder", nargs="?", default="runs", metavar="FOLDER", help="where the runs are (default: runs)")
        if name == "clean":
            command.add_argument("--yes", action="store_true", help="delete it")

    command = _command(commands, "report", "write a run's report again", _report)
    command.add_argument("run", metavar="RUN", help="run directory")

    _command(commands, "doctor", "what this machine can do, what is missing and how to get it", _doctor)
    return parser


def _command(commands: Any, name: str, words: str, call: Any) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=words, description=words[0].upper() + words[1:] + ".")
    command.set_defaults(call=call)
    command.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    command.add_argument("--quiet", action="store_true", help="no progress on stderr")
    return command


def _verify_flags(command: argparse.ArgumentParser) -> None:
    words = "check the records, score stored predictions again, run nothing else"
    command.add_argument("--repository", metavar="DIR", help="where the repository lies now, if it moved")
    command.add_argument("--records-only", action="store_true", help=words)
    command.add_argument("--python", metavar="PATH", help="use this interpreter's environment instead of building one")
    command.add_argument("--out", help="folder for the verification's records")


def _run_flags(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("--task", metavar="FILE", help="task file (default: autosota.toml in REPO)")
    add("--eval", dest="evaluate", metavar="CMD", help="evaluation command; {seed} is filled in")
    add("--metric", dest="metrics", action="append", metavar="NAME[:max|min]", help="metric; repeatable, the first is primary")
    add("--protect", action="append", metavar="GLOB", help="files a candidate may not change")
    add("--free", action="append", metavar="GLOB", help="files a candidate may change; all others are then protected")
    add("--seeds", type=int, metavar="N", help="baseline repeats (default 5)")
    add("--trials", type=int, metavar="N", help="evaluations of candidates in search (default 20)")
    add("--time", metavar="2h", help="time for the whole run")
    add("--cost", type=float, metavar="USD", help="money for models: a hard cap")
    add("--target", type=float, metavar="VALUE", help="stop when this value is confirmed")
    add("--workers", type=int, metavar="N", help="evaluations at a time (default 1)")
    add("--python", metavar="PATH", help="use this interpreter's environment instead of building one")
    add("--model", action="append", metavar="[AGENT=]NAME", help="language model, e.g. openai:gpt-5, ollama:qwen2.5-coder or "
        "http://127.0.0.1:8080/v1#NAME; repeatable, one per agent where wanted (default: none, rules alone)")  # fmt: skip
    add("--coder", metavar="NAME", help="who writes code changes: shell (our own loop, the default with --model), claude, codex, "
        "opencode, qwen, gemini, claude-code, acp:COMMAND or scripted:FILE; see docs/coders.md")  # fmt: skip
    add("--engine", metavar="NAME", help="where evaluations run: `local`, this machine")
    add("--sandbox", metavar="NAME", help="bubblewrap, landlock, local, docker or docker:IMAGE (default: the best that works)")
    add("--search", choices=("leap", "tpe", "random", "greedy"), help="what to try next (default leap)")
    add("--from-here", action="store_true", default=None, help="go on although the baseline is not the paper's")
    add("--out", metavar="DIR", help="run directory (default runs/<paper>/<date>-<word>)")
    add("--yes", action="store_true", default=None, help="never ask; missing data over 200 MB is downloaded, too")


def _flags(options: argparse.Namespace) -> dict[str, Any]:
    from autosota import taskfile

    names = ("task", "evaluate", "seeds", "trials", "cost", "target", "workers", "python", "sandbox", "search",
             "engine", "from_here", "yes", "coder")  # fmt: skip
    flags = {name: getattr(options, name, None) for name in names}
    flags["paper"], flags["repository"] = _inputs(getattr(options, "paper", None), getattr(options, "repository", None))
    for name in ("metrics", "protect", "free", "model"):
        flags[name] = tuple(getattr(options, name, None) or ())
    if getattr(options, "time", None) is not None:
        flags["time"] = taskfile.seconds(options.time)
    return flags


def _inputs(first: str | None, second: str | None) -> tuple[str | None, str | None]:
    """PAPER and REPO, either alone too: a lone directory, archive or git URL is a REPO."""
    if first is None or second is not None:
        return first, second
    archive = first.endswith((".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2"))
    git = first.endswith(".git") or first.startswith(("git@", "ssh://", "git://", "https://github.com/", "https://gitlab.com/"))
    return (None, first) if Path(first).is_dir() or archive or git else (first, None)


def _out(options: argparse.Namespace) -> Path | None:
    return Path(options.out).absolute() if options.out else None


def _store(run: str) -> Any:
    from autosota.store import Store

    folder = Path(run)
    if not (folder / "run.toml").is_file():
        raise UsageError(f"no run at {folder}", "`autosota list` shows the runs; give the run directory")
    return Store(folder)


def _plain(result: Result) -> dict[str, Any]:
    return dict(result.model_dump(mode="json"))


def _print(options: argparse.Namespace, data: Any, text: str) -> None:
    _say(json.dumps(data) if options.json else text, sys.stdout)


if __name__ == "__main__":
    sys.exit(main())
