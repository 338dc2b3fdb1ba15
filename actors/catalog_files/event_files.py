"""Event files from disk (`.jsonl`, `.jsonl.gz`, Segment's format), read lazily and merged by (time, file, line).

Only the time of a line is read here; the caller parses the rest. Every line that is not blank comes out. A line that
cannot be used comes with its problem, so that the caller can name it as `file:line` and nothing is lost silently.
"""

from __future__ import annotations

import gzip
import heapq
import zlib
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

import msgspec

from engine.errors import InvalidInput, UsageError
from engine.values.times import read_ms

LINE_BYTES_MAX: Final = 1 << 20


class Line(NamedTuple):
    """One line. `problem` is empty where the caller can parse it.

    `at_ms` is its place in the order of reading. A line that has no time, or is older than one before it in its file,
    keeps its place in the file: it has the time of the newest line before it.
    """

    at_ms: int
    file: int  # its position among the files
    number: int  # from 1
    raw: bytes
    problem: str
    path: Path
    is_older: bool = False  # than a line before it in its file

    @property
    def where(self) -> str:
        """`file:line`, as people look for it."""
        return f"{self.path}:{self.number}"


class _Times(msgspec.Struct, rename="camel"):
    timestamp: Any = None
    original_timestamp: Any = None


_times: Final = msgspec.json.Decoder(_Times).decode
_plain: Final = msgspec.json.Decoder().decode
_OF_THING: Final = b'"thing"'


def read(paths: Sequence[Path]) -> Iterator[Line]:
    """All lines of all files. Raises UsageError at once, before a line is read, where a file cannot be opened."""
    with ExitStack() as opening:
        streams = [opening.enter_context(_open(path)) for path in paths]
        opened = opening.pop_all()
    return _merged(opened, list(zip(paths, streams, strict=True)))


def check(paths: Sequence[Path]) -> None:
    """UsageError where a file cannot be opened."""
    for path in paths:
        _open(path).close()


def _merged(opened: ExitStack, files: list[tuple[Path, IO[bytes]]]) -> Iterator[Line]:
    with opened:
        lines = [_lines(number, path, stream) for number, (path, stream) in enumerate(files)]
        yield from heapq.merge(*lines, key=lambda line: line[:3])


def _open(path: Path) -> IO[bytes]:
    try:
        return gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", str(path)) from None


def _lines(file: int, path: Path, stream: IO[bytes]) -> Iterator[Line]:
    at_ms = 0
    for number, (raw, problem) in enumerate(_raw_lines(stream), 1):
        own_ms = None
        if not problem:
            if raw.isspace():
                continue
            own_ms, problem = _time_of(raw)
        is_older = own_ms is not None and own_ms < at_ms
        at_ms = max(at_ms, own_ms or 0)
        yield Line(at_ms, file, number, raw, problem, path, is_older)


def _raw_lines(stream: IO[bytes]) -> Iterator[tuple[bytes, str]]:
    """Each line with its problem as bytes, without a byte-order mark at the start of the file. A line that is too long
    is skipped in pieces, so that it never fills the memory."""
    is_first = True
    while True:
        try:
            raw = stream.readline(LINE_BYTES_MAX + 1)
            if len(raw) <= LINE_BYTES_MAX or raw.endswith(b"\n"):
                problem = ""
            else:
                problem = "is longer than 1 MB"
                _finish_line(stream)
        except (OSError, EOFError, zlib.error) as error:
            yield b"", f"the file is damaged from here on: {error}"
            return
        if not raw:
            return
        raw, is_first = raw.removeprefix(BOM_UTF8 if is_first else b""), False
        yield raw if not problem else raw[:100], problem


def _finish_line(stream: IO[bytes]) -> None:
    while (piece := stream.readline(LINE_BYTES_MAX)) and not piece.endswith(b"\n"):
        pass


def _time_of(raw: bytes) -> tuple[int | None, str]:
    """The line's own time (UTC epoch, ms), or its problem. `timestamp` counts first, as in an import."""
    try:
        times = _times(raw)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        field = path.rstrip("`").removeprefix(".")
        return None, f"{field}: {message.replace('Expected', 'expected')}" if field else "is not a JSON object"
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None, "is not JSON in UTF-8"
    for field, value in (("timestamp", times.timestamp), ("originalTimestamp", times.original_timestamp)):
        try:
            at_ms = read_ms(value, field)
        except InvalidInput as fault:
            return None, str(fault)
        if at_ms is not None:
            return at_ms, ""
    return None, "timestamp: is needed in a file"


def fact_in(line: bytes) -> dict[str, Any] | None:
    """What a line says of a thing (`"type": "thing"`); None where it is an event."""
    if _OF_THING not in line:
        return None
    try:
        said = _plain(line)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) and said.get("type") == "thing" else None


def chunks(lines: Iterable[Line], size: int) -> Iterator[tuple[list[Line], int | None]]:
    """Lines in lots of `size`, each with the time of the line that follows it; None after the last."""
    lot: list[Line] = []
    for line in lines:
        if len(lot) == size:
            yield lot, line.at_ms
            lot = []
        lot.append(line)
    if lot:
        yield lot, None
