"""R4: no unfair trade-offs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from autosota.records import Case, Measurement, Violation
from autosota.redlines import guards
from autosota.redlines.base import RedLine


class TradeOffs(RedLine):
    """Secondary metrics, compute and guarantees may not pay for the gain unseen."""

    id = "R4"
    title = "No unfair trade-offs"
    text = (
        "Every reported metric stays reported and none gets significantly worse, or worse than its margin allows. Extra "
        "computation (test-time augmentation, restarts, ensembles, more samples) is recorded for both arms and "
        "disclosed. No metric disappears, becomes NaN or is computed over fewer items."
    )

    def measurements(
        self, candidate: Sequence[Measurement], baseline: Sequence[Measurement], case: Case
    ) -> tuple[Violation, ...]:
        """Guards that are beyond their margin, and those the runs cannot show to be within: both are disclosed."""
        return tuple(self._violations(guards.compare(candidate, baseline, case.rubric)))

    def _violations(self, found: Sequence[guards.Guard]) -> Iterator[Violation]:
        for guard in found:
            if guard.state == "within":
                continue
            spec = guard.spec
            allowed = f"at most {spec.margin:.0%} worse" if spec.margin else "not significantly worse"
            word = "is beyond its margin" if guard.state == "beyond" else "is not shown to be within its margin"
            yield Violation(
                red_line="R4",
                rule="compute-guard" if guards.is_cpu(spec) else "metric-guard",
                action="disclose",
                evidence=f"{spec.name} {word}: {guard.baseline:.6g} before, {guard.best:.6g} after, allowed is {allowed}",
                fix="keep this metric where it was, or declare a margin for it in the task file and say so beside the gain",
            )
