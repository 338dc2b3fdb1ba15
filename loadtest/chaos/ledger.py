"""The books of a chaos run: the clients' deeds and the promises to them, kept apart from the engine.

A line of the file is one entry, `[what, …]`, written before the next request leaves, so the file alone gives the same
books again. A `Found` holds the state of engine and mailbox at the end; `balance.py` compares the two.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TextIO


@dataclass(frozen=True, slots=True)
class Told:
    """An event: its customer, its name, the key of the run that it may start, and its time by the customer's clock."""

    customer: str
    name: str
    key: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that arrived. `authorised_s` is its Date: the second in which its hand-over was authorised."""

    send: str
    customer: str
    action: str
    key: str
    arrived_ms: int
    authorised_s: int


@dataclass(slots=True)
class Found:
    """The state at the end: profile and timeline by customer, the mail, `/v1/status`, decisions by request."""

    profiles: dict[str, dict[str, Any]] = field(default_factory=dict)
    timelines: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    mails: list[Mail] = field(default_factory=list)
    status: dict[str, Any] = field(default_factory=dict)
    decisions: dict[str, str] = field(default_factory=dict)


class Ledger:
    """The events that were told, which of them were acknowledged, and when, in ms of this machine's clock."""

    def __init__(self, file: TextIO | None = None) -> None:
        self.events: dict[str, Told] = {}
        self.acknowledged: dict[str, int] = {}
        self.opt_outs: dict[str, int] = {}
        self.decisions: dict[str, str] = {}
        self.askers: dict[str, str] = {}
        self.faults: list[str] = []
        self._file = file

    @classmethod
    def read(cls, lines: Iterable[str]) -> Ledger:
        """The books that a file holds."""
        ledger = cls()
        for line in lines:
            what, *values = json.loads(line)
            getattr(ledger, what)(*values)
        return ledger

    def tell(self, message_id: str, customer: str, name: str, key: str, at_ms: int) -> None:
        """An event is about to be sent for the first time."""
        assert message_id not in self.events, "a client gives each event an id of its own"
        self._write("tell", message_id, customer, name, key, at_ms)
        self.events[message_id] = Told(customer, name, key, at_ms)

    def acknowledge(self, message_ids: list[str], now_ms: int) -> None:
        """A 2xx for these events. The first one counts: from then on the engine is bound by it."""
        self._write("acknowledge", message_ids, now_ms)
        for message_id in message_ids:
            self.acknowledged.setdefault(message_id, now_ms)

    def opt_out(self, customer: str, now_ms: int) -> None:
        """A 2xx for an opt-out, by any way."""
        self._write("opt_out", customer, now_ms)
        self.opt_outs.setdefault(customer, now_ms)

    def decide(self, request_id: str, customer: str, decision: str) -> None:
        """The answer to a decision. A second answer to the same request must be the first one."""
        self._write("decide", request_id, customer, decision)
        first = self.decisions.setdefault(request_id, decision)
        self.askers[request_id] = customer
        if first != decision:
            self.fault(f"decision {request_id} was answered twice, with {first} and {decision}")

    def fault(self, what: str) -> None:
        """Something that no client should ever see."""
        self._write("fault", what) if what not in self.faults else None
        self.faults.append(what)

    def by_customer(self) -> dict[str, dict[str, Told]]:
        """The events of each customer, in the order in which they were told."""
        found: defaultdict[str, dict[str, Told]] = defaultdict(dict)
        for message_id, told in self.events.items():
            found[told.customer][message_id] = told
        return found

    def _write(self, *entry: Any) -> None:
        if self._file is not None:
            self._file.write(json.dumps(entry, separators=(",", ":")) + "\n")
            self._file.flush()  # the books are whole even where the run is killed
