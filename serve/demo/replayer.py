"""Streams event files into a running engine over HTTP, in order of time, and moves its clock where that is a replay
clock.

Lines are imported before the clock passes them: the watermark is always 1 ms before the first line that was not sent.
Every line carries its message id, so a replay that was interrupted can simply be run again: lines that are there
already count as repeated and change nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from actors.catalog_files import event_files
from actors.catalog_files.event_files import Line
from actors.replay_clock.windows import WINDOW_MS
from engine.errors import SegueError, UsageError
from engine.readings import instants

_LINES = 1_000
_BODY_BYTES = 3 << 20  # below what a body may have (`serve/http/protocol.py`)
_TIMEOUT_S = 600.0  # long, because the last move of the clock answers only when all pending timers have fired
_RETRIES = 30

Progress = Callable[[int, str], None]


class EngineClient:
    """An engine over HTTP, by its server key."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        headers = {"authorization": f"Bearer {key}"}
        try:
            self._http = httpx.Client(base_url=url, headers=headers, timeout=_TIMEOUT_S, trust_env=False)
        except httpx.InvalidURL as error:
            raise UsageError(str(error), "--url") from None

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """A reading; SegueError with the engine's own words where it says no."""
        return self.ask("GET", path, params=query)

    def post(self, path: str, body: dict[str, Any] | bytes) -> dict[str, Any]:
        """The same for a call with a body; waits and asks again while the engine is busy."""
        return self.ask("POST", path, **({"content": body} if isinstance(body, bytes) else {"json": body}))

    def delete(self, path: str) -> dict[str, Any]:
        """The same for something that is to go."""
        return self.ask("DELETE", path)

    def close(self) -> None:
        """Hang up."""
        self._http.close()

    def ask(self, method: str, path: str, **how: Any) -> dict[str, Any]:
        """Any call."""
        for _ in range(_RETRIES):
            try:
                answer = self._http.request(method, path, **how)
            except httpx.InvalidURL as error:
                raise UsageError(str(error), "--url") from None
            except httpx.TransportError as error:
                raise SegueError(f"no engine answers at {self.url}: {error}") from None
            if answer.status_code not in (429, 503):
                break
            time.sleep(float(answer.headers.get("retry-after", "1")))
        if answer.status_code != 200:
            raise SegueError(f"{method} {path}: {_reason(answer)}")
        try:
            body = answer.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise SegueError(f"what answers at {self.url} is no engine")
        return body


@dataclass(slots=True)
class Totals:
    """What became of the lines. `accepted` and `repeated` are the engine's counts for this time."""

    lines: int = 0
    accepted: int = 0
    repeated: int = 0
    rejected: list[str] = field(default_factory=list)
    now: str = ""
    pending_timers: int = 0


class Replayer:
    """One replay of some files. `rate` is events a second, None for as fast as the engine takes them."""

    def __init__(self, client: EngineClient, *, is_replay: bool, rate: float | None = None) -> None:
        self._client = client
        self._is_replay = is_replay
        self._rate = rate
        self._began_s = time.monotonic()

    def run(self, paths: Sequence[Path], *, drain: bool, progress: Progress) -> Totals:
        """Send all lines; with `drain`, let pending timers fire at the end. `progress` gets lines done and the time
        reached."""
        before = self._client.get("/v1/status")["events"]
        totals, last_ms = Totals(), 0
        for lot, next_ms in event_files.chunks(event_files.read(paths), _LINES):
            facts = [line for line in lot if not line.problem and event_files.fact_in(line.raw) is not None]
            known = {line.where for line in facts}
            self._post("/v1/import", [line for line in lot if line.where not in known] if facts else lot, totals)
            self._post("/v1/things", facts, totals)
            totals.lines += len(lot)
            last_ms = lot[-1].at_ms
            if self._is_replay and next_ms is not None:
                self._move(next_ms - 1, totals)
            progress(totals.lines, instants.iso(last_ms))
            self._hold_back(totals.lines)
        if self._is_replay:
            # A send of the last lines arises in their window, leaves in the next and is settled in the one after.
            settled_ms = (last_ms // WINDOW_MS + 4) * WINDOW_MS - 1
            self._move(settled_ms, totals, drain=drain)
        after = self._client.get("/v1/status")["events"]
        totals.accepted, totals.repeated = (after[name] - before[name] for name in ("accepted", "repeated"))
        return totals

    def _post(self, path: str, lot: list[Line], totals: Totals) -> None:
        for body, lines in _bodies(lot, totals):
            answer = self._client.post(path, body)
            totals.rejected += [
                f"{lines[bad['index']].where}: {bad['field']}: {bad['message']}" for bad in answer.get("rejected", ())
            ]

    def _move(self, watermark_ms: int, totals: Totals, *, drain: bool = False) -> None:
        answer = self._client.post("/v1/clock", {"watermark": watermark_ms, "drain": drain})
        totals.now, totals.pending_timers = answer["now"], answer["pendingTimers"]

    def _hold_back(self, lines: int) -> None:
        if self._rate is not None:
            time.sleep(max(0.0, self._began_s + lines / self._rate - time.monotonic()))


def _bodies(lot: list[Line], totals: Totals) -> Iterator[tuple[bytes, list[Line]]]:
    """Batches that fit into a request; lines that cannot be parsed are named and left out."""
    good: list[Line] = []
    size = 0
    for line in lot:
        if line.problem:
            totals.rejected.append(f"{line.where}: {line.problem}")
            continue
        if good and size + len(line.raw) > _BODY_BYTES:
            yield _body(good), good
            good, size = [], 0
        good.append(line)
        size += len(line.raw) + 1
    if good:
        yield _body(good), good


def _body(lines: list[Line]) -> bytes:
    return b'{"batch":[' + b",".join(line.raw for line in lines) + b"]}"


def _reason(answer: httpx.Response) -> str:
    try:
        body = answer.json()
        return f"{answer.status_code} {body['code']}: {body['message']}"  # which names the field
    except (ValueError, KeyError, AttributeError, TypeError):
        return f"status {answer.status_code}"
