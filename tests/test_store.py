"""The run directory: nothing finished is lost, nothing torn is read, an edited ledger is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from autosota.errors import StageError, UsageError
from autosota.records import Change, Measurement
from autosota.store import MEASUREMENTS, Store


def _measurement(seed: int, **other: object) -> Measurement:
    fields = {
        "commit": "c",
        "seed": seed,
        "purpose": "search",
        "values": {"a": 1.0},
        "seconds": 1,
        "cpu_seconds": 1,
        "exit_code": 0,
    }
    return Measurement.model_validate({**fields, **other})


def test_ledger_is_chained_and_read_back(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for seed in range(3):
        store.append_measurement(_measurement(seed))
    again = Store(tmp_path)
    assert [measurement.seed for measurement in again.measurements()] == [0, 1, 2]
    assert again.finished("c", 1, "search") == store.finished("c", 1, "search")
    assert again.finished("c", 1, "confirm") is None
    again.append_measurement(_measurement(3))
    assert len(Store(tmp_path).measurements()) == 4


def test_a_torn_last_line_is_cut_before_the_next_append(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.append_measurement(_measurement(0))
    with (tmp_path / MEASUREMENTS).open("a") as file:
        file.write('{"commit": "c", "se')
    again = Store(tmp_path)
    assert len(again.measurements()) == 1
    again.append_measurement(_measurement(1))
    assert [measurement.seed for measurement in Store(tmp_path).measurements()] == [0, 1]


def test_an_edited_ledger_is_an_error_that_names_the_line(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for seed in range(3):
        store.append_measurement(_measurement(seed))
    path = tmp_path / MEASUREMENTS
    path.write_text(path.read_text().replace('"values":{"a":1.0}', '"values":{"a":2.0}', 1))
    with pytest.raises(StageError, match="line 2"):
        Store(tmp_path).measurements()


def test_two_processes_do_not_share_a_run(tmp_path: Path) -> None:
    first = Store(tmp_path)
    first.lock()
    with pytest.raises(UsageError, match="another process"):
        Store(tmp_path).lock()


def test_the_secret_is_made_once_and_private(tmp_path: Path) -> None:
    secret = Store(tmp_path).secret()
    assert len(secret) == 32 and Store(tmp_path).secret() == secret
    assert (tmp_path / "secret").stat().st_mode & 0o077 == 0


def test_a_folder_is_free_again_after_unlock(tmp_path: Path) -> None:
    first, second = Store(tmp_path), Store(tmp_path)
    first.lock()
    with pytest.raises(UsageError, match="another process"):
        second.lock()
    first.unlock()
    second.lock()
    second.unlock()


def test_nothing_is_kept_outside_the_vault(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="outside"):
        Store(tmp_path / "run").keep("vault", Change(path="../../key", content=b"x"))
    assert not (tmp_path / "key").exists()
