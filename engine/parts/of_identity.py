"""The parts of a profile that say who this is: identifiers, merges, changes between touchpoints, open questions.

They are written as arrays: a new field stands at the end and has a default.
"""

from __future__ import annotations

from typing import Any

from engine.recent_events import Part


class Said(Part):
    """A word on an identifier: of the key `source`, heard at `at_ms`; `by` are the places of the other identifiers that
    came with it."""

    source: str
    at_ms: int
    by: list[str] = []  # noqa: RUF012 (a struct gives each its own)


class Link(Part):
    """An identifier of this person.

    Of an e-mail address or a telephone `verified` says that a server key stated it, or that its mailbox confirmed it;
    what was kept before there was a difference counts as verified, so no write key takes its place. `stated_ms` is the
    time of the word by which it came to be current, `since_ms` when that word arrived (`engine.contact.addresses`).
    `confirmed_ms` is when its mailbox confirmed it; 0: it did not. Of `source`, `public` and `by` the first word of a
    server key counts, where there was one: `publicly` is then the word of a write key that came before it, with the
    time at which it was replaced. `verified_by` is the word that verified an address that had been unverified.
    """

    namespace: str
    value: str
    first_seen_ms: int
    last_seen_ms: int
    confidence: float = 1.0
    verified: bool = True
    stated_ms: int = 0
    since_ms: int = 0
    source: str = ""  # the name of the key that named it first
    public: bool = False  # that was a write key
    shared: bool = False  # its value is shared by several people, and joins nobody
    by: list[str] = []  # noqa: RUF012 (the places of the other identifiers that its event carried)
    confirmed_ms: int = 0
    publicly: Said | None = None
    verified_by: Said | None = None


class Evidence(Part):
    """Why two profiles are taken for one person: an identifier of `namespace`, whose place is `place`, that the key
    `source` has told; a write key, where it is `public`. Where a person said it in other ways, `namespace` is one of
    `engine.identity.standing.SAID`. `confidence` is 1 where it is certain. `beside` are the other identifiers of
    people that the same input carried, as (namespace, place)."""

    namespace: str
    place: str
    source: str = ""
    public: bool = False
    confidence: float = 1.0
    beside: list[tuple[str, str]] = []  # noqa: RUF012 (a struct gives each its own)


class Merged(Part):
    """A ledger entry: which profile was taken in, when, and how much it held.

    `id` names the merge where it can be undone. It was made because of the identifier of `namespace` whose place is
    `by`, told by the key `source`, with a `confidence` of 1 where that was certain. `undone_ms` is when a split undid
    it.
    """

    origin: str
    at_ms: int
    identifiers: list[tuple[str, str]]
    events: int
    runs: int
    id: str = ""
    by: str = ""
    namespace: str = ""
    source: str = ""
    public: bool = False
    confidence: float = 1.0
    undone_ms: int = 0
    beside: list[str] = []  # noqa: RUF012 (the places of the other identifiers that its input carried)


class Likely(Part):
    """Another profile that is probably the same person, with what decisions may read of it until `until_ms`. No message
    is sent and no merge is made on account of it."""

    profile: str
    confidence: float
    at_ms: int
    until_ms: int
    traits: dict[str, Any] = {}  # noqa: RUF012 (a struct gives each its own)
    segments: list[str] = []  # noqa: RUF012


class HandOff(Part):
    """A customer's change from one touchpoint to another: `was` and `into` are the kinds of touchpoint, `by` the
    namespace of the identifier that linked them, `took_ms` the time from the last event there to the first one here,
    and `ready_ms` how long the context took to be here.

    `goal` names the goal for such a change, empty where there is none: `required_ms` is what it asks of `ready_ms`, and
    `missed` what it asks for and did not get (`ready`, `cart` …)."""

    at_ms: int
    was: str
    into: str
    by: str
    took_ms: int
    ready_ms: int
    carried: list[str] = []  # noqa: RUF012 (names of what came along: `cart`, `journeys` …)
    goal: str = ""
    required_ms: int = 0
    missed: list[str] = []  # noqa: RUF012


class Touch(Part):
    """The touchpoint at which this person was seen last: its kind, the times of the first and the last event of this
    stay.

    While a profile is on its way because of an event here, `since_ms` is when that event was received, and nobody knows
    yet whence the person came. `was`, `was_ms` and `by` are what is known so far: a touchpoint, the last event there,
    the namespace that linked it. `had` names what the profiles brought that have arrived. `asks`: the recipient of a
    message was asked whether this person came by its link."""

    kind: str
    first_ms: int
    last_ms: int
    since_ms: int = 0
    was: str = ""
    was_ms: int = 0
    by: str = ""
    had: list[str] = []  # noqa: RUF012
    asks: bool = False


class ReviewEntry(Part):
    """A question for the review queue. `kind` is `merge` (a refused one), `split` (one is offered), `shared` or
    `candidate`; `other` the other profile, `merge_id` the merge to undo, `namespace` the kind of identifier that it is
    about; `detail` holds no value of an identifier. `public`: the write key `source` alone has caused it."""

    id: str
    at_ms: int
    kind: str
    reason: str
    profile: str
    other: str = ""
    namespace: str = ""
    merge_id: str = ""
    confidence: float = 0.0
    source: str = ""
    detail: dict[str, Any] = {}  # noqa: RUF012 (a struct gives each its own)
    state: str = "open"  # open | accepted | dismissed
    decided_ms: int = 0
    public: bool = False
