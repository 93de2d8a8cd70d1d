"""docs/run-directory.md names every file that is written, and no other."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from autosota import audit, bundle, report, store
from tests.report import example_run

PAGE = Path(__file__).parents[2] / "docs" / "run-directory.md"
ELSEWHERE = {"Dockerfile", ".lock", ".seconds"}
"""Named where they are made, by no constant."""


def documented() -> set[str]:
    return set(re.findall(r"^\| `([^`]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))


def test_every_file_of_a_run_is_documented_and_no_other(tmp_path: Path) -> None:
    known = {getattr(store, name) for name in vars(store) if name.isupper() and isinstance(getattr(store, name), str)} - {
        store.FIRST
    }
    known |= set(store.FILES.values()) | {audit.ACCEPTED, bundle.FILE}
    known |= {path.name for path in report.write(example_run.write(tmp_path))}
    folders = {"items", "history.git", "vault", "optimized", "resources", "prompts", "predictions", "probed"}
    expected = {name + "/" if name in folders else name for name in known}
    assert documented() == expected | ELSEWHERE


def test_files_that_no_constant_names_are_named_in_the_code() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in Path(store.__file__).parent.glob("*.py"))
    for name in ELSEWHERE:
        assert f'"{name.rstrip("/")}"' in source, name


def test_the_ledger_check_on_the_page_runs_and_finds_an_edit(tmp_path: Path) -> None:
    script = re.search(r"<<'PY'\n(.*?)\n    PY", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert script
    code = re.sub(r"^    ", "", script[1], flags=re.MULTILINE)
    example_run.write(tmp_path)

    def check() -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert check().stdout == "unbroken\n"
    ledger = tmp_path / store.MEASUREMENTS
    ledger.write_text(ledger.read_text().replace('"seconds":1.9', '"seconds":1.8', 1))
    assert "line 2" in check().stderr


def test_the_page_names_real_record_classes() -> None:
    from autosota import records

    for name in re.findall(r"`([A-Z][A-Za-z]+)`", PAGE.read_text(encoding="utf-8")):
        assert name == "Dockerfile" or hasattr(records, name), name
