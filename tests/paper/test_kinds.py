"""What kind of paper it is, by its own words. Titles and gists of well-known papers, and traps."""

from __future__ import annotations

import pytest

from autosota.paper import kinds
from autosota.records import Paper, PaperKind, Section, Table

CASES: list[tuple[str, str, PaperKind]] = [
    ("Attention Is All You Need", "We propose a new simple network architecture, the Transformer.", "method"),
    ("Deep Residual Learning for Image Recognition", "We present a residual learning framework to ease training.", "method"),
    ("A Survey on Deep Transfer Learning", "This survey focuses on reviewing the current researches.", "survey"),
    ("A comprehensive review of graph neural networks", "Graphs are everywhere.", "survey"),
    ("ImageNet: A Hierarchical Image Database", "We introduce a new dataset called ImageNet.", "benchmark"),
    ("SWE-bench: Can Models Resolve Issues?", "We introduce SWE-bench, an evaluation framework.", "benchmark"),
    ("Benchmarking Graph Neural Networks", "We introduce a reproducible benchmarking framework.", "benchmark"),
    ("Tight Regret Bounds for Linear Bandits", "We prove matching upper and lower bounds on the regret.", "theory"),
    ("On the Convergence of Stochastic Gradient Descent", "We prove convergence rates without assuming convexity.", "theory"),
    # Traps: words of one kind in another.
    ("Semi-Supervised Classification with Graph Convolutional Networks",
     "We present a scalable approach. On citation data sets our approach is best.", "method"),
    ("Few-Shot Prototypes", "We propose a method evaluated on three benchmarks.", "method"),
    ("Reviewing Peer Review by Machine", "We propose a model that scores submissions.", "method"),
    ("Notes", "", "method"),
]  # fmt: skip


@pytest.mark.parametrize(("title", "abstract", "kind"), CASES, ids=[case[0][:40] for case in CASES])
def test_kinds(title: str, abstract: str, kind: PaperKind) -> None:
    found = kinds.classify(Paper(source="p", digest="d", title=title, abstract=abstract))
    assert found.kind == kind
    assert found.reason


def test_theorems_without_tables_speak_for_a_theory() -> None:
    text = " ".join(f"Theorem {number}. It holds. Proof. Clear." for number in range(4))
    paper = Paper(
        source="p", digest="d", title="Mixtures", abstract="We study mixtures.", sections=(Section(title="Main", text=text),)
    )
    assert kinds.classify(paper).kind == "theory"
    method = paper.model_copy(
        update={
            "abstract": "We propose a method that outperforms others.",
            "tables": (Table(caption="T", header=("a",), rows=()),),
        }
    )
    assert kinds.classify(method).kind == "method"
