"""autosota: a research paper and its code in, a better version that can be believed out.

    import autosota
    result = autosota.run("paper.pdf", "repository/", trials=20)
    print(result.grade, result.gain)

`run` and `replicate` take the settings of the command line by the same names (see `autosota run --help`) and raise
`autosota.errors.AutosotaError` where the command line would print a message.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autosota.records import Baseline, Result

__version__ = "0.1.0"
__all__ = ["__version__", "replicate", "run"]


def run(paper: str | None = None, repository: str | None = None, *, out: str | None = None, **settings: Any) -> Result:
    """The whole pipeline; resumes where `out` holds a run.

    Raises AutosotaError for bad input, a stage that fails, or a baseline that is not the paper's (unless `from_here=True`).
    """
    from autosota import compose
    from autosota.errors import StageError

    outcome = _outcome(paper, repository, out, settings, "run")
    result: Result | None = outcome.store.result()
    if result is None or outcome.exit_code:
        raise StageError(compose.not_reproduced(outcome.store), compose.FROM_HERE)
    return result


def replicate(paper: str | None = None, repository: str | None = None, *, out: str | None = None, **settings: Any) -> Baseline:
    """Stop after the baseline. `Baseline.reproduced` is "yes", "partly", "no" or "unknown"."""
    baseline: Baseline | None = _outcome(paper, repository, out, settings, "replicate").store.baseline()
    assert baseline is not None  # a run that ends without one raises
    return baseline


def _outcome(paper: str | None, repository: str | None, out: str | None, settings: dict[str, Any], until: str) -> Any:
    import sys

    from autosota import compose
    from autosota.progress import Progress

    flags = {"paper": paper, "repository": repository, **settings}
    quiet = bool(flags.pop("quiet", True))
    with Progress.open(sys.stderr, quiet=quiet) as live:
        return compose.run(flags, out=Path(out).absolute() if out else None, live=live, until=until)
