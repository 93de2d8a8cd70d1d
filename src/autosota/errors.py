"""Everything autosota raises on purpose, and who is to blame.

AutosotaError            has a message and a `hint`; the command line prints both and no traceback
├── UsageError           the user's flags, task file or inputs; or something only the user can decide  → exit 2
├── MachineError         this machine lacks something (no sandbox, no uv, disk full)                     → exit 1
├── StageError           a stage cannot go on: environment, evaluation, paper                            → exit 1
├── ModelError           a model cannot be asked: outage, key, name; caught by `ask`, which goes on by rule    → exit 1
└── BudgetError          the budget ended before a baseline existed                                     → exit 4

A failed command is an `Execution`, a failed evaluation a `Measurement` with `failure`, a rejected idea an `Experiment` with a
`Verdict`: none of these raise. Any other exception is a bug of autosota and shows its traceback.
"""

from __future__ import annotations


class AutosotaError(Exception):
    """Base of all expected errors. `hint` says what the user can do, in one sentence without a period."""

    kind = "error"
    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(AutosotaError):
    """The user's input cannot be used as it is, or only the user can decide. The hint names the flag or task-file key."""

    kind = "usage"
    exit_code = 2


class MachineError(AutosotaError):
    """This machine cannot do what is asked. The hint says what to install or which option avoids it."""

    kind = "machine"


class StageError(AutosotaError):
    """A stage failed for a reason that lies in the paper, the repository or its environment."""

    kind = "stage"


class ModelError(AutosotaError):
    """A language model could not be asked, after retries. Work goes on by rule; only a model named by the user that does not
    exist at all ends a command."""

    kind = "model"

    def __init__(self, message: str, hint: str = "", *, lasting: bool = False, prompt: bool = False, spent: bool = False) -> None:
        super().__init__(message, hint)
        self.lasting = lasting
        """It will be the same for every later call: a refused key, a model that is not there."""
        self.prompt = prompt
        """It lies in this one prompt (too long, refused by a filter): others may be answered."""
        self.spent = spent
        """The model may have worked on it, and be paid for it, though no reply came."""


class BudgetError(AutosotaError):
    """Time, trials or money ended before there was a baseline."""

    kind = "budget"
    exit_code = 4
