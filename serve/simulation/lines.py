"""What happened, as JSON lines in the order of (time, profile, sequence); written while the history goes on."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import IO, Final

import msgspec

from engine.readings.instants import iso

# Every line begins with its time and its profile, in texts of one length each, so it sorts as it is.
_SORTED_BY: Final = len('{"at":"2026-03-02T00:00:00.000Z","profileId":"') + 30

_encode = msgspec.json.Encoder().encode


class Lines:
    """The lines of one engine. Those of the past are written and let go, because no turn comes before them."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._numbers = count()
        self._waiting: list[tuple[int, str, int, bytes]] = []

    def add(self, at_ms: int, profile: str, words: Mapping[str, str]) -> None:
        """A line; empty words are left out."""
        line = {"at": iso(at_ms), "profileId": profile} | {name: text for name, text in words.items() if text}
        self._waiting.append((at_ms, profile, next(self._numbers), _encode(line)))

    def write(self, before_ms: int | None = None) -> None:
        """Write the lines of before an instant; None: all."""
        self._waiting.sort()
        end = len(self._waiting)
        while before_ms is not None and end and self._waiting[end - 1][0] >= before_ms:
            end -= 1
        self._file.writelines(line + b"\n" for *_, line in self._waiting[:end])
        del self._waiting[:end]


def merge(parts: Iterable[Path], file: IO[bytes]) -> None:
    """Write the lines of several engines, which have no profile in common, in one order."""
    with ExitStack() as opening:
        opened = [opening.enter_context(part.open("rb")) for part in parts]
        file.writelines(heapq.merge(*opened, key=lambda line: line[:_SORTED_BY]))
