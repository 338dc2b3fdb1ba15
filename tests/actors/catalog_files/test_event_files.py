"""Event files come out merged by (time, file, line), and nothing in them is lost silently."""

from __future__ import annotations

import gzip
import itertools
import json
from codecs import BOM_UTF8
from pathlib import Path

import pytest

from actors.catalog_files import event_files
from actors.catalog_files.event_files import LINE_BYTES_MAX, Line
from engine.errors import UsageError

T0 = 1_772_409_600_000


def line(second: int, **fields: object) -> bytes:
    return json.dumps({"timestamp": f"2026-03-02T00:00:{second:02d}.000Z", **fields}).encode() + b"\n"


def told(lines: list[Line]) -> list[tuple[int, int, int]]:
    """(second, file, line number)"""
    return [((found.at_ms - T0) // 1000, found.file, found.number) for found in lines]


def test_files_are_merged_by_time_then_file_then_line(tmp_path: Path):
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl.gz"
    first.write_bytes(line(1) + b"\n  \r\n" + line(3) + line(3) + line(9).rstrip())
    second.write_bytes(gzip.compress(line(2) + line(3) + line(4)))
    found = list(event_files.read([first, second]))
    assert told(found) == [(1, 0, 1), (2, 1, 1), (3, 0, 4), (3, 0, 5), (3, 1, 2), (4, 1, 3), (9, 0, 6)]
    assert [each.where for each in found][-2:] == [f"{second}:3", f"{first}:6"]
    assert not any(each.problem for each in found)


def test_a_byte_order_mark_costs_no_line(tmp_path: Path):
    plain, packed = tmp_path / "a.jsonl", tmp_path / "b.jsonl.gz"
    plain.write_bytes(BOM_UTF8 + line(1) + line(3))
    packed.write_bytes(gzip.compress(BOM_UTF8 + line(2)))
    found = list(event_files.read([plain, packed]))
    assert told(found) == [(1, 0, 1), (2, 1, 1), (3, 0, 2)]
    assert [each.raw for each in found] == [line(1), line(2), line(3)] and not any(each.problem for each in found)


def test_a_line_that_is_older_than_the_one_before_it_is_taken_at_its_place(tmp_path: Path):
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    first.write_bytes(line(5) + line(1) + line(6))
    second.write_bytes(line(2) + line(5))
    assert told(list(event_files.read([first, second]))) == [(2, 1, 1), (5, 0, 1), (5, 0, 2), (5, 1, 2), (6, 0, 3)]


@pytest.mark.parametrize(
    ("time", "at_ms"),
    [
        ({"timestamp": "2026-03-02T00:00:00Z"}, T0),
        ({"timestamp": "2026-03-02T01:00:00.5+01:00"}, T0 + 500),
        ({"timestamp": "2026-03-02"}, T0),
        ({"timestamp": T0}, T0),
        ({"originalTimestamp": "2026-03-02T00:00:00"}, T0),
        ({"timestamp": "2026-03-02T00:00:00Z", "originalTimestamp": "2020-01-01"}, T0),
        ({"timestamp": None, "originalTimestamp": T0}, T0),
    ],
)
def test_the_times_that_can_be_read(tmp_path: Path, time: dict[str, object], at_ms: int):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(time))
    (found,) = event_files.read([path])
    assert (found.at_ms, found.problem) == (at_ms, "")


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"{", "is not JSON in UTF-8"),
        (b"\xff\xfe{}", "is not JSON in UTF-8"),
        (b'{"timestamp": "2026-03-02\xff"}', "is not JSON in UTF-8"),
        (b"[" * 100_000, "is not a JSON object"),
        (b'{"timestamp": "2026-03-02", "x": ' + b"[" * 100_000, "is not JSON in UTF-8"),
        (b"[1]", "is not a JSON object"),
        (b"7", "is not a JSON object"),
        (b"{}", "timestamp: is needed in a file"),
        (b'{"timestamp": "yesterday"}', "timestamp: is not a time in ISO 8601"),
        (b'{"timestamp": -1}', "timestamp: is not between the years 1970 and 9999"),
        (b'{"timestamp": true}', "timestamp: is not a time"),
        (b'{"originalTimestamp": "x"}', "originalTimestamp: is not a time"),
        (b'{"timestamp": "2026-03-02", "x": "' + b"y" * LINE_BYTES_MAX + b'"}', "is longer than 1 MB"),
        (b'{"timestamp": "2026-03-02", "x": "' + b"y" * (5 * LINE_BYTES_MAX) + b'"}', "is longer than 1 MB"),
    ],
)
def test_a_bad_line_comes_out_with_its_reason_and_the_next_one_is_fine(tmp_path: Path, raw: bytes, problem: str):
    path = tmp_path / "a.jsonl"
    path.write_bytes(line(1) + raw + b"\n" + line(2))
    good, bad, last = event_files.read([path])
    assert bad.problem.startswith(problem) and bad.where == f"{path}:2" and bad.at_ms == good.at_ms
    assert not good.problem and not last.problem and last.number == 3


def test_a_line_of_exactly_1_mb_is_taken(tmp_path: Path):
    path = tmp_path / "a.jsonl"
    head, tail = b'{"timestamp": "2026-03-02", "x": "', b'"}'
    path.write_bytes(head + b"y" * (LINE_BYTES_MAX - len(head + tail)) + tail + b"\n" + line(1))
    found = list(event_files.read([path]))
    assert len(found[0].raw) == LINE_BYTES_MAX + 1 and not found[0].problem


def test_a_damaged_archive_says_where_it_breaks_off(tmp_path: Path):
    path, plain = tmp_path / "a.jsonl.gz", tmp_path / "plain.jsonl.gz"
    packed = gzip.compress(b"".join(line(n % 60, n=n * 7919) for n in range(5_000)))
    path.write_bytes(packed[: len(packed) // 2])
    *good, last = event_files.read([path])
    assert good and not any(each.problem for each in good)
    assert last.problem.startswith("the file is damaged from here on") and last.number == good[-1].number + 1
    plain.write_bytes(line(1))
    (only,) = event_files.read([plain])
    assert only.problem.startswith("the file is damaged from here on")


@pytest.mark.parametrize("name", ["nowhere.jsonl", "nowhere.jsonl.gz", "."])
def test_a_file_that_cannot_be_opened_is_said_at_once(tmp_path: Path, name: str):
    with pytest.raises(UsageError, match="cannot be read"):
        event_files.read([tmp_path / name])


def test_chunks_know_when_the_next_line_comes(tmp_path: Path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"".join(line(n) for n in range(5)))
    lots = [
        (len(lot), next_ms and (next_ms - T0) // 1000)
        for lot, next_ms in event_files.chunks(event_files.read([path]), 2)
    ]
    assert lots == [(2, 2), (2, 4), (1, None)]
    assert list(event_files.chunks(event_files.read([]), 2)) == []


def test_files_are_read_lazily(tmp_path: Path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(line(1) + b"nonsense\n" * 200_000)
    first = list(itertools.islice(event_files.read([path]), 2))
    assert [bool(each.problem) for each in first] == [False, True]
