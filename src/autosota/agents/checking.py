"""What is done with a candidate once its pairs show a gain: probes, then controls, within a stated number of further runs.

They never improve a grade. A probe that convicts rejects, a suspicion goes to a person, a price is disclosed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from autosota import slices
from autosota.agents import controls, probes
from autosota.agents.allowance import MOST, Allowance
from autosota.agents.controls import Found
from autosota.agents.grading import Confirmation
from autosota.agents.supervisor import HOUR, MINUTES, settled
from autosota.evaluation import Evaluation
from autosota.ports import Engine
from autosota.progress import Progress
from autosota.records import Case, Grade, Patch, Violation
from autosota.redlines import judged
from autosota.redlines.checks import draws
from autosota.redlines.difference import Difference
from autosota.redlines.judged import Judge

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
    judge: Judge | None = None
    """Asked last, about what rules cannot decide; without one the questions stand in the report."""

    def check(self, confirmation: Confirmation, commit: str, *, accepted: bool = False) -> Confirmation:
        """The confirmation with what probes and controls found. Only claims are checked; the others come back as they are."""
        if confirmation.grade not in _CLAIMS or confirmation.assurance == "observed" or confirmation.gain is None:
            return confirmation
        allowance = Allowance(self.evaluation, self.engine, self.progress, left=self._most(), fits=self.fits)
        self.progress.note(f"probes and controls: at most {allowance.left} further runs")
        workspace, base = self.evaluation.workspace, self.case.environment.commit
        difference = Difference(Patch(parent=base, commit=commit, base=base, changes=workspace.changes(base, commit)), self.case)
        found = controls.joined(self._read(confirmation, difference), self._groups(confirmation, commit))
        found = controls.joined(found, probes.probe(self.case, commit, confirmation, self.evaluation, allowance))
        for control in (controls.compensate, controls.attribute):
            if not found.convicts:
                found = controls.joined(found, control(self.case, commit, confirmation, workspace, allowance))
        return graded(confirmation, found, accepted=accepted)

    def _read(self, confirmation: Confirmation, difference: Difference) -> Found:
        """What needs no run: labels from the code, and the judge's word on the open questions."""
        prone = draws.prone(difference.states[0].flow, self.case.rubric.primary.name)
        labels = [*(["selection-prone-metric"] if prone else []), *(["method-hollowed"] if judged.hollowed(difference) else [])]
        return Found((), tuple(labels), judged.escalated(self.judge, difference, confirmation.violations))

    def _groups(self, confirmation: Confirmation, commit: str) -> Found:
        """Groups of items that pay for the gain, where the items file names groups."""
        base = self.case.environment.commit
        groups = self.evaluation.groups(base, confirmation.baseline[0].seed)
        if not groups:
            return Found()
        arms = [[self.evaluation.items(arm, run.seed) for run in confirmation.baseline] for arm in (base, commit)]
        pairs = [(before, after) for before, after in zip(*arms, strict=True) if before and after]
        return Found((), (), slices.guard(groups, pairs))

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
