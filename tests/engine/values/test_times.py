"""A time is read the same way wherever one is taken."""

import pytest

from engine.errors import InvalidInput
from engine.values.times import read_ms

NOON_MS = 1_772_366_400_000


@pytest.mark.parametrize(
    ("written", "at_ms"),
    [
        ("2026-03-01T12:00:00Z", NOON_MS),
        ("2026-03-01T12:00:00.123456Z", NOON_MS + 123),
        ("2026-03-01 13:00:00+01:00", NOON_MS),
        (" 2026-03-01T12:00:00 ", NOON_MS),
        ("2026-03-01t12:00:00z", NOON_MS),
        ("2026-03-01T12:00:00.5z", NOON_MS + 500),
        ("2026-03-01 12:00:00 UTC", NOON_MS),
        ("2026-03-01 12:00:00 utc ", NOON_MS),
        ("2026-03-01T12:00:00 GMT", NOON_MS),
        ("2026-03-01 12:00:00 Z", NOON_MS),
        ("2026-03-01 13:00:00 +0100", NOON_MS),
        ("2026-03-01 11:00:00 -01:00", NOON_MS),
        ("20260301T120000z", NOON_MS),
        ("2026-W09-7T12:00:00", NOON_MS),
        ("2026-03-01", NOON_MS - 43_200_000),
        ("20260301", NOON_MS - 43_200_000),
        (NOON_MS, NOON_MS),
        (NOON_MS // 1000, NOON_MS),
        (NOON_MS / 1000 + 0.5, NOON_MS + 500),
        (float(NOON_MS), NOON_MS),
        (str(NOON_MS), NOON_MS),
        (str(NOON_MS // 1000), NOON_MS),
        (f"{NOON_MS // 1000}.25", NOON_MS + 250),
        (f" {NOON_MS} ", NOON_MS),
        (99_999_999_999, 99_999_999_999_000),
        (100_000_000_000, 100_000_000_000),
        (0, 0),
    ],
)
def test_seconds_and_milliseconds_are_read_as_what_they_are(written: object, at_ms: int):
    assert read_ms(written, "at") == at_ms


@pytest.mark.parametrize("absent", [None, "", "  ", [], {}, "null", "undefined", "\u200b"])
def test_what_is_absent_is_no_time(absent: object):
    assert read_ms(absent, "at") is None


@pytest.mark.parametrize(
    "written",
    [
        "yesterday",
        "2026-02-30",
        "0001-01-01T00:00:00Z",
        "12345",
        "20260301120000",
        "202603011120000",
        "2026-03-01112:00:00",
        "2026-03-01T24:00:00Z",
        "2026-03-01 12:00:00 CET",
        "2026-03-01T12:00:00ZZ",
        "2026-03-01T12:00:00+01:00 UTC",
        "UTC",
        "z",
        "9" * 5_000,
        "١٧٧٢٣٦٦٤٠٠",
        -1,
        1.5,
        10**15,
        2**80,
        float("nan"),
        float("inf"),
        True,
        [1],
        {"at": 1},
        b"2026-03-01",
    ],
    ids=lambda each: str(each)[:30],
)
def test_what_is_no_time_is_refused_by_name(written: object):
    with pytest.raises(InvalidInput) as caught:
        read_ms(written, "at")
    assert caught.value.field == "at" and caught.value.message
