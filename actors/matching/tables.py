"""Reads tables of records, and of which of them are one person, from CSV files. A fault names file, line and column."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.errors import UsageError
from engine.matching.comparable import Comparable
from engine.matching.fields import USUAL, columns_used, reader

RECORDS_MAX: Final = 5_000_000
_COLUMNS_MAX: Final = 500
_IDS: Final = (
    "rec_id",
    "record_id",
    "unique_id",
    "id",
)  # columns that name a record; in any case; no comparison ever reads them

Pair = tuple[int, int]  # the places of two records, the smaller first


@dataclass(frozen=True, slots=True)
class Records:
    """The records of some files, and the id of each; `columns` feed these fields."""

    ids: tuple[str, ...]
    comparable: tuple[Comparable, ...]
    columns: Mapping[str, str]


def read_records(
    paths: Sequence[Path], without: Sequence[str] = (), stated: Mapping[str, Sequence[str]] = USUAL
) -> Records:
    """All records of some files, without some columns. A file without a column for ids gives its records none.
    UsageError with file and line for what cannot be read."""
    ids: list[str] = []
    records: list[Comparable] = []
    columns: dict[str, str] = {}
    for path in paths:
        rows = _rows(path)
        _, header = next(rows)
        for name in without:
            if name not in header:
                raise UsageError(f"there is no column {name!r} to leave out", f"{path}:1")
        small = [name.strip().casefold() for name in header]
        id_at = next((small.index(name) for name in _IDS if name in small), None)
        places = [at for at, name in enumerate(header) if name not in without and at != id_at]
        read = reader([header[at] for at in places], stated)
        columns |= columns_used([header[at] for at in places], stated)
        for line, row in rows:
            if len(records) == RECORDS_MAX:
                raise UsageError(f"more than {RECORDS_MAX:,} records", f"{path}:{line}")
            ids.append(row[id_at] if id_at is not None else "")
            records.append(read([row[at] for at in places]))
    if not columns:
        known = ", ".join(sorted(USUAL))
        raise UsageError(f"no column feeds a comparison; names as of {known} are known", f"{paths[0]}:1")
    return Records(tuple(ids), tuple(records), columns)


def read_truth(path: Path, records: Records) -> set[Pair]:
    """Which records are one person: the first two columns of each line name a pair. UsageError for a name that no
    record has, or that two have."""
    places: dict[str, int] = {}
    for place, name in enumerate(records.ids):
        if not name:
            raise UsageError(f"the records need an id to be found by: a column called {' or '.join(_IDS)}", "--records")
        if name in places:
            raise UsageError(f"two records are called {name!r}", "--records")
        places[name] = place
    rows = _rows(path)
    _, header = next(rows)
    if len(header) < 2:
        raise UsageError("needs two columns, each with the id of a record", f"{path}:1")
    found = set()
    for line, row in rows:
        for column, name in zip(header[:2], row[:2], strict=True):
            if name not in places:
                raise UsageError(f"column {column!r}: no record is called {name!r}", f"{path}:{line}")
        a, b = sorted((places[row[0]], places[row[1]]))
        if a == b:
            raise UsageError(f"column {header[1]!r}: a record is paired with itself", f"{path}:{line}")
        found.add((a, b))
    return found


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows of a file with their lines; the header comes first, and is there."""
    header: list[str] = []
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file, strict=True)
        try:
            for row in rows:
                if not header:
                    header = _checked(row, path)
                elif not row:
                    continue  # an empty line
                elif len(row) != len(header):
                    raise UsageError(_wrong_length(row, header), f"{path}:{rows.line_num}")
                yield rows.line_num, row
        except csv.Error as error:
            raise UsageError(f"is no CSV: {error}", f"{path}:{rows.line_num}") from None
        except UnicodeDecodeError as error:
            line = path.read_bytes()[: _start_of(path)].count(b"\n") + 1
            raise UsageError(f"is not UTF-8: {error.reason}", f"{path}:{line}") from None
    if not header:
        raise UsageError("is empty; the first line must name the columns", f"{path}:1")


def _wrong_length(row: list[str], header: list[str]) -> str:
    few = len(row) < len(header)
    where = f"column {header[len(row)]!r} is missing" if few else f"there is more after column {header[-1]!r}"
    return f"has {len(row)} values for {len(header)} columns: {where}"


def _start_of(path: Path) -> int:
    """The first byte that is not UTF-8."""
    try:
        path.read_bytes().decode()
    except UnicodeDecodeError as error:
        return error.start
    return 0


def _checked(header: list[str], path: Path) -> list[str]:
    if len(header) > _COLUMNS_MAX:
        raise UsageError(f"has {len(header)} columns, at most {_COLUMNS_MAX}", f"{path}:1")
    twice = next((name for at, name in enumerate(header) if name in header[:at]), None)
    if twice is not None:
        raise UsageError(f"has two columns {twice!r}", f"{path}:1")
    return header
