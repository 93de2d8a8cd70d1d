"""What is done with a candidate once its pairs show a gain: probes, then controls, within a stated number of further runs.

They never improve a grade. A probe that convicts rejects, a suspicion goes to a person, a price is disclosed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from autosota.agents import controls, probes
from autosota.agents.allowance import MOST, Allowance
from autosota.agents.controls import Found
from autosota.agents.grading import Confirmation
from autosota.agents.supervisor import HOUR, MINUTES, settled
from autosota.evaluation import Evaluation
from autosota.ports import Engine
from autosota.progress import Progress
from autosota.records import Case, Grade, Violation

_CLAIMS = ("CONFIRMED", "DISCLOSE", "SUGGESTIVE", "REVIEW")


@dataclass(frozen=True)
class Checking:
    """Checks candidates of one case. Collaborators are given; nothing is created here but the allowance."""

    case: Case
    evaluation: Evaluation
    engine: Engine
    progress: Progress
    fits: Callable[[int], bool]
    most: int = MOST
    """Further full runs for one candidate."""

    def check(self, confirmation: Confirmation, commit: str, *, accepted: bool = False) -> Confirmation:
        """The confirmation with what probes and controls found. Only claims are checked; the others come back as they are."""
        if confirmation.grade not in _CLAIMS or confirmation.assurance == "observed" or confirmation.gain is None:
            return confirmation
        allowance = Allowance(self.evaluation, self.engine, self.progress, left=self._most(), fits=self.fits)
        self.progress.note(f"probes and controls: at most {allowance.left} further runs")
        workspace = self.evaluation.workspace
        found = probes.probe(self.case, commit, confirmation, self.evaluation, allowance)
        for control in (controls.compensate, controls.attribute):
            found = controls.joined(found, control(self.case, commit, confirmation, workspace, allowance))
        return graded(confirmation, found, accepted=accepted)

    def _most(self) -> int:
        """Fewer where an evaluation is long: none above an hour."""
        seconds = self.case.baseline.seconds if self.case.baseline else 0.0
        return self.most if seconds <= MINUTES else min(self.most, 4) if seconds <= HOUR else 0


def graded(confirmation: Confirmation, found: Found, *, accepted: bool = False) -> Confirmation:
    """The confirmation with the findings, and the grade that they leave."""
    violations: Sequence[Violation] = settled(found.violations) if accepted else found.violations
    actions = {violation.action for violation in violations}
    grade, reason = confirmation.grade, confirmation.reason
    changed: dict[str, tuple[Grade, str]] = {
        "reject": ("REJECTED", "a probe shows that a red line is crossed"),
        "review": ("REVIEW", "a probe or control found what a person must decide"),
        "disclose": ("DISCLOSE", "a confirmed gain with a trade-off"),
    }
    if "reject" in actions:
        grade, reason = changed["reject"]
    elif "review" in actions and grade != "REVIEW":
        grade, reason = changed["review"]
    elif "disclose" in actions and grade == "CONFIRMED":
        grade, reason = changed["disclose"]
    return confirmation.model_copy(
        update={
            "grade": grade, "reason": reason, "violations": (*confirmation.violations, *violations),
            "labels": tuple(dict.fromkeys((*confirmation.labels, *found.labels))),
            "checks": (*confirmation.checks, *found.checks),
        }
    )  # fmt: skip
