"""What a process writes about itself says what happened and where, and nothing of a customer."""

from __future__ import annotations

import logging

import pytest

from actors.platform import logs

log = logging.getLogger("of-these-tests")


def _deep(address: str) -> None:
    raise KeyError(address)


def test_a_fault_names_its_kind_and_its_place_and_nobody(caplog: pytest.LogCaptureFixture):
    try:
        _deep("ada@shop.example")
    except KeyError as error:
        logs.fault(log, "turn_failed", error, send_id="s-1")
    (record,) = caplog.records
    assert (record.message, record.levelname, record.error, record.send_id) == (  # type: ignore[attr-defined]
        "turn_failed",
        "ERROR",
        "KeyError",
        "s-1",
    )
    assert any(place.endswith(" _deep") for place in record.where)  # type: ignore[attr-defined]
    assert record.exc_info is None
    assert "ada" not in str(vars(record))
    assert record.filename == "test_logs.py"  # where it was told, not where it is written
