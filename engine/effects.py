"""Effects: all that a turn may ask for. They are data only: the shell makes the new state and all of them durable in
one batch, and acts then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.audit import Entry
from engine.inputs import AnyInput
from engine.parts.of_identity import ReviewEntry
from engine.recent_events import Happened


@dataclass(frozen=True, slots=True)
class Page:
    """The oldest recent events leave the state, as the profile's page `number`."""

    number: int
    events: list[Happened]


@dataclass(frozen=True, slots=True)
class Note:
    """A new entry in the profile's audit chain, which is also its timeline."""

    seq: int
    entry: Entry
    sealed: bytes


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Wake this profile at `due_ms`. `cause` is `set`, `reset`, `moved`, `edited`, `paused` or `resumed`."""

    due_ms: int
    run: str
    generation: int
    journey: str
    step: str
    cause: str


@dataclass(frozen=True, slots=True)
class DropTimer:
    """A timer is no longer pending. `cause` is `fired`, `reset`, `cancelled`, `moved`, `paused` or `resumed`."""

    due_ms: int
    run: str
    generation: int
    journey: str
    step: str
    cause: str


@dataclass(frozen=True, slots=True)
class Wake:
    """Wake this profile at `due_ms` to look at what journeys watch, and no more at `was_ms`; 0: never."""

    due_ms: int
    was_ms: int


@dataclass(frozen=True, slots=True)
class Enqueue:
    """A send stands in the outbox at `at_ms`; `dispatcher` has it, where that is not empty. `was_ms` is where it stood
    before (as `Send.waits_ms` says; None: nowhere)."""

    send: str
    at_ms: int
    dispatcher: str = ""
    was_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Dequeue:
    """A send has its final outcome and leaves the outbox, where it stood at `was_ms`. `variant` is the one that was
    sent, or would have been."""

    send: str
    outcome: str
    was_ms: int
    variant: str = ""


@dataclass(frozen=True, slots=True)
class Spend:
    """Tokens of a budget are spent, or (a negative count) given back, of the period that `at_ms` lies in."""

    budget: str
    count: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class Tell:
    """A durable message to another profile, in order per pair."""

    to: str
    seq: int
    message: AnyInput


@dataclass(frozen=True, slots=True)
class Transfer:
    """Hand the records of this profile to `to`, as message number `seq`: those behind the key `after`, as many as one
    message may carry."""

    to: str
    seq: int
    after: bytes = b""


@dataclass(frozen=True, slots=True)
class LeaveTombstone:
    """This profile lives on in `to`: leave a tombstone and drop the rest."""

    to: str


@dataclass(frozen=True, slots=True)
class Forget:
    """Destroy the key of this place and all that was locked under it; leave a pointer to `to`."""

    to: str


@dataclass(frozen=True, slots=True)
class TakeIn:
    """Store the raw records of a merged profile under this one."""

    history: tuple[tuple[bytes, bytes], ...]
    audit: tuple[tuple[bytes, bytes], ...]
    seen: tuple[tuple[bytes, bytes], ...]
    reviews: tuple[tuple[bytes, bytes], ...] = ()
    merges: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class KeepMerge:
    """Keep the states of both profiles before a merge and of the survivor after it, under the survivor's key. An empty
    `after` is the state at the end of this turn."""

    merge_id: str
    before: bytes
    other: bytes
    after: bytes = b""


@dataclass(frozen=True, slots=True)
class ForgetMerge:
    """The states around a merge are needed no more: it is undone."""

    merge_id: str


@dataclass(frozen=True, slots=True)
class Repage:
    """Pages of the history become others: `put` are new ones, `drop` the keys of those that are gone, less the
    profile's id."""

    put: tuple[tuple[bytes, bytes], ...]
    drop: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class GiveBack:
    """Give a profile that was merged into this one back to its own place `to`: `state` and all records of the profiles
    `origins`, as messages number `seq` and following. The records of the ledger `merges` go with it, and so does a copy
    of what was seen since `since_ms`. `dequeue` are all sends that have waited in the outbox here, and since when."""

    to: str
    seq: int
    merge_id: str
    state: bytes
    origins: tuple[str, ...]
    merges: tuple[str, ...]
    since_ms: int
    dequeue: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Review:
    """A question for the review queue, or a new state of one that is there."""

    entry: ReviewEntry


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to the caller; plain data."""

    value: dict[str, Any]


Effect = (
    Page
    | Note
    | SetTimer
    | DropTimer
    | Wake
    | Enqueue
    | Dequeue
    | Spend
    | Tell
    | Transfer
    | LeaveTombstone
    | Forget
    | TakeIn
    | KeepMerge
    | ForgetMerge
    | Repage
    | GiveBack
    | Review
    | Answer
)
