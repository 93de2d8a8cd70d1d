"""What a paper is: a method, a theory, a benchmark or a survey (paper section 3.2). Its own words decide, title first."""

from __future__ import annotations

import re

from autosota.records import Classification, Paper, PaperKind

_TITLE: dict[PaperKind, tuple[str, ...]] = {
    "survey": (
        r"\bsurvey\b", r"\b(?:systematic|literature|scoping|comprehensive|critical) review\b", r"\breview of\b|: a review\b",
        r"\b(?:an|the) overview\b|\boverview of\b|\btutorial\b",
    ),
    "benchmark": (
        r"\bbenchmark(?:s|ing)?\b|\w*-?bench\b",
        r"\bdata ?sets?\b|\bcorpus\b|\bdatabase\b", r"\bleaderboard\b|\bevaluation suite\b",
    ),
    "theory": (
        r"\bbounds?\b|\boptimality\b|\bsample complexity\b|\bidentifiability\b|\bimpossibility\b|\bprovabl[ey]\b",
        r"\bconvergence (?:of|rates?|analysis)\b", r"\bgenerali[sz]ation (?:of|error|bounds?)\b", r"\btheor(?:y|etical)\b",
    ),
}  # fmt: skip
_SAYS: dict[PaperKind, tuple[str, ...]] = {
    "survey": (
        r"\b(?:this|our) (?:survey|review|overview)\b", r"\bcomprehensive (?:survey|review)\b",
        r"\bwe (?:survey|review|summari[sz]e (?:the )?(?:literature|existing))\b",
    ),
    "benchmark": (
        r"\bwe (?:introduce|present|propose|release|construct|build|curate|collect)\b[^.]{0,80}"
        r"\b(?:benchmark|data ?set|corpus|test ?bed|evaluation suite)\b",
        r"\b(?:this|our|new) (?:benchmark|data ?set)\b",
    ),
    "theory": (
        r"\bwe (?:prove|show theoretically|derive|establish)\b[^.]{0,100}"
        r"\b(?:bounds?|rates?|theorem|guarantees?|optimal|convergence|complexity)\b",
        r"\b(?:upper|lower) bounds?\b|\bminimax\b|\bwe prove\b",
    ),
    "method": (
        r"\bwe (?:propose|introduce|present|develop|design)\b[^.]{0,60}"
        r"\b(?:method|approach|model|network|algorithm|framework|architecture|layer|loss|estimator|module|technique)\b",
        r"\b(?:our|the proposed) (?:method|approach|model|algorithm|framework)\b|\boutperform\w*\b|\bstate[- ]of[- ]the[- ]art\b",
    ),
}  # fmt: skip
_THEOREM = re.compile(r"\b(?:Theorem|Lemma|Proposition|Corollary|Proof)\s*\d*[.:(]")
_MANY_THEOREMS = 6


def classify(paper: Paper) -> Classification:
    """The kind of a paper and the words that say so. A pure function; without any sign it is a method."""
    points: dict[PaperKind, float] = {"method": 0.5, "theory": 0.0, "benchmark": 0.0, "survey": 0.0}
    reasons: dict[PaperKind, list[str]] = {kind: [] for kind in points}
    for kind, patterns in _TITLE.items():
        if match := re.search("|".join(patterns), paper.title, re.IGNORECASE):
            points[kind] += 3.0 if kind != "theory" else 2.0
            reasons[kind].append(f"its title says {match[0]!r}")
    opening = paper.abstract or " ".join(section.text for section in paper.sections[:2])[:3000]
    for kind, patterns in _SAYS.items():
        found = [match[0] for match in re.finditer("|".join(patterns), opening, re.IGNORECASE)]
        if found:
            points[kind] += 2.0 + 0.5 * min(len(found) - 1, 2) - (0.5 if kind == "method" else 0.0)
            reasons[kind].append(f"its abstract says {' '.join(found[0].split())[:100]!r}")
    theorems = sum(len(_THEOREM.findall(section.text)) for section in paper.sections)
    if theorems >= _MANY_THEOREMS:
        points["theory"] += 1.0 if paper.tables else 2.0
        reasons["theory"].append(f"{theorems} theorems and proofs" + ("" if paper.tables else ", no tables"))
    best = max(points, key=lambda kind: points[kind])
    why = "; ".join(reasons[best]) or "nothing says that it is a theory, a benchmark or a survey"
    return Classification(kind=best, reason=why)
