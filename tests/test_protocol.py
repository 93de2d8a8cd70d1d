"""The lock: readable, correctable, and the same digest for the same content."""

from pathlib import Path

import pytest

from autosota.errors import UsageError
from autosota.ports import Limits
from autosota.protocol import Protocol, Spending, form_digest
from autosota.records import Commands, Constraint, Criterion, Environment, MetricSpec, Package, Recipe, Rubric, Zones

TREE = {
    "judge.py": b"def rate(a, b):\n    return (a == b).mean()\n",
    "all.py": b"SHARE = 0.2\n\ndef main(rate=0.1):\n    return split(SHARE)\n",
    "settings.yaml": b"seed: 1\nnet:\n  width: 3\n",
}


def environment(**zones: object) -> Environment:
    chosen = {"protected": ("judge.py",), "symbols": {"all.py": ("main.split", "SHARE"), "settings.yaml": ("seed",)}} | zones
    return Environment(
        commit="c0", recipe=Recipe(digest="d", python="/p", prefix="/x", packages=(Package(name="numpy", version="2.0"),)),
        commands=Commands(evaluate="python all.py"),
        zones=Zones(**chosen),  # type: ignore[arg-type]
    )  # fmt: skip


def lock(tree: dict[str, bytes] = TREE, **changes: object) -> Protocol:
    rubric = Rubric(
        metrics=(
            MetricSpec(name="accuracy", direction="max", primary=True, reported=0.9),
            MetricSpec(name='odd "name": \u00e9', direction="min", margin=0.5),
        ),
        tree=Criterion(id="r", requirements="", weight=1),
        constraints=(Constraint(text="k stays", file="settings.yaml", key="net.width", one_of=(3, 4)),),
    )
    given: dict[str, object] = {"limits": Limits(), "sandbox": "local", "isolated": False, "noise": 5, "search": 2} | changes
    sealed = given.pop("sealed", {})
    return Protocol.lock(environment().model_copy(update={"sealed": sealed}), rubric, tree, **given)  # type: ignore[arg-type]


def test_it_is_written_and_read_back_with_the_same_digest() -> None:
    protocol = lock(data={"big/x.bin": "0" * 64}, secret="s", budget=Spending(trials=20, seconds=60.0))
    again = Protocol.from_toml(protocol.to_toml())
    assert again == protocol
    assert again.digest() == protocol.digest() and protocol.digest() in protocol.to_toml()


def test_layout_and_comments_do_not_matter_and_content_does() -> None:
    protocol = lock()
    text = protocol.to_toml()
    assert Protocol.from_toml("# my note\n" + text.replace(" = ", "   =   ")).digest() == protocol.digest()
    assert Protocol.from_toml(text.replace("noise = 5", "noise = 6")).digest() != protocol.digest()


@pytest.mark.parametrize(
    ("path", "content", "same"),
    [("judge.py", b"def rate(a, b):\n    return (a >= b).mean()\n", False),
     ("all.py", b"SHARE = 0.2\n\n\ndef main(rate=0.5):  # faster\n    return split(SHARE)\n", True),
     ("all.py", b"SHARE = 0.3\n\ndef main(rate=0.1):\n    return split(SHARE)\n", False),
     ("all.py", b"SHARE = 0.2\n\ndef main(rate=0.1):\n    return split(SHARE, True)\n", False),
     ("settings.yaml", b"net: {width: 99}\nseed: 1\n", True), ("settings.yaml", b"seed: 2\nnet:\n  width: 3\n", False)],
)  # fmt: skip
def test_protected_files_and_symbols_are_digested(path: str, content: bytes, same: bool) -> None:
    assert (lock({**TREE, path: content}).digest() == lock().digest()) is same


@pytest.mark.parametrize("text", ["not toml =", "version = 1\nsurprise = 2\n", ""])
def test_a_broken_lock_is_the_users_to_repair(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Protocol.from_toml(text)
    assert caught.value.hint


def test_an_absent_symbol_is_said_to_be_absent() -> None:
    assert form_digest("all.py", TREE["all.py"], "gone") == "absent"
    assert form_digest("x.yaml", None, "gone") == "absent"


def test_what_evaluations_stand_on_can_be_read() -> None:
    protocol = lock({**TREE, "all.py": b"SHARE = 0.2\n\ndef main(rate=0.1):\n    return split(SHARE, test_size=rate / 2)\n"})
    assert protocol.values == {
        "all.py": {"main.split": "split(SHARE, test_size=rate / 2)", "SHARE": "0.2"}, "settings.yaml": {"seed": "1"},
    }  # fmt: skip
    assert protocol.packages == {"numpy": "2.0"}


def test_a_person_signs_off_and_a_budget_grows_without_another_protocol() -> None:
    protocol = lock(budget=Spending(trials=20))
    signed = Protocol.from_toml(protocol.to_toml() + '\n[sign_off]\nwho = "A. Reader"\nnote = "the split is the paper\'s"\n')
    assert signed.sign_off is not None and signed.sign_off.who == "A. Reader"
    assert signed.digest() == protocol.digest() == lock(budget=Spending(trials=90)).digest()


def test_sealed_rows_are_bound_by_their_content(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("1")
    sealed = {"data/rows.csv": str(tmp_path / "rows.csv")}
    first = lock(sealed=sealed).digest()
    assert first == lock(sealed=sealed).digest() != lock().digest()
    (tmp_path / "rows.csv").write_text("2")
    assert lock(sealed=sealed).digest() != first
    (tmp_path / "rows.csv").unlink()
    with pytest.raises(UsageError, match=r"rows\.csv"):
        lock(sealed=sealed)
