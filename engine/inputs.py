"""Inputs: all that a profile can be told. Frozen, tagged, and the same in memory, on the wire and in the journal."""

# ruff: noqa: RUF012  msgspec copies a default that can change
from __future__ import annotations

from typing import Any

from engine.profile import ConsentRecord, Lent, Place
from engine.told.base import Input as Input
from engine.told.of_journeys import Fact as Fact
from engine.told.of_journeys import Reconsider as Reconsider
from engine.told.of_likeness import Candidate as Candidate
from engine.told.of_likeness import Resembles as Resembles
from engine.told.of_likeness import Reviewed as Reviewed
from engine.told.of_likeness import Suspect as Suspect
from engine.told.of_likeness import Unlike as Unlike
from engine.told.of_links import LinkRefused as LinkRefused
from engine.told.of_links import OpenLink as OpenLink
from engine.told.of_merging import Claim as Claim
from engine.told.of_merging import Declined as Declined
from engine.told.of_merging import GoOn as GoOn
from engine.told.of_merging import HandedOver as HandedOver
from engine.told.of_merging import HandOver as HandOver
from engine.told.of_merging import Merge as Merge
from engine.told.of_merging import Released as Released
from engine.told.of_merging import Shared as Shared
from engine.told.of_merging import Shares as Shares
from engine.told.of_merging import Stay as Stay
from engine.told.of_splitting import PassedOn as PassedOn
from engine.told.of_splitting import PointTo as PointTo
from engine.told.of_splitting import Rejoin as Rejoin
from engine.told.of_splitting import Revert as Revert
from engine.told.of_splitting import Revive as Revive
from engine.told.of_splitting import Revived as Revived
from engine.told.of_splitting import Split as Split
from engine.told.rejected import Rejected as Rejected
from engine.vocabulary import ExposureEvent, Settlement


class Event(Input, frozen=True, kw_only=True, omit_defaults=True, tag="event"):
    """Something that happened, as Segment's tracking API tells it, with its times settled at the door.

    `name` is the event's name for `track`, else `Page Viewed`, `Screen Viewed`, `Identified`, `Grouped` or `Aliased`.
    `identifiers` are the canonical (namespace, value) pairs beside `user_id` and `anonymous_id`.
    `digest` stands in for a missing `message_id`; both empty means that the event is never a repeat.
    `public` says that it came under a write key, which stands in web pages: anybody may have sent it. `imported` says
    that it is history, told with its own times. `link` is the token of a message's link that led here, not yet
    verified. `touchpoint` is the kind of touchpoint at which it happened (`engine.handoffs.touchpoints`).
    """

    kind: str
    name: str
    at_ms: int
    received_at_ms: int
    source: str = ""
    channel: str = ""
    message_id: str = ""
    digest: str = ""
    user_id: str = ""
    anonymous_id: str = ""
    previous_id: str = ""
    identifiers: tuple[tuple[str, str], ...] = ()
    properties: dict[str, Any] = {}
    traits: dict[str, Any] = {}
    context: dict[str, Any] = {}
    public: bool = False
    imported: bool = False
    link: str = ""
    touchpoint: str = ""

    @property
    def said_ms(self) -> int:
        """When its statements were said. A live event was said before it was received, whatever its own time claims."""
        return self.at_ms if self.imported else min(self.at_ms, self.received_at_ms)


class TimersDue(Input, frozen=True, kw_only=True, omit_defaults=True, tag="timers"):
    """All timers of this profile that are due at exactly `at_ms`. `running_out`: a replay clock only brings to an end
    what has begun, so no schedule and no date starts anything."""

    at_ms: int
    running_out: bool = False


class Decide(Input, frozen=True, kw_only=True, omit_defaults=True, tag="decide"):
    """A front end asks what to show now at `placement`. `profile_id` is set where a caller named a profile itself: one
    that nobody knows is then not found, and none is made. `link` is as in `Event`, and `source` the name of the key
    that told it; empty without a link."""

    placement: str
    channel: str
    request_id: str = ""
    context: dict[str, Any] = {}
    limit: int = 1
    explain: bool = False
    identifiers: tuple[tuple[str, str], ...] = ()
    profile_id: str = ""
    link: str = ""
    source: str = ""


class Exposure(Input, frozen=True, kw_only=True, omit_defaults=True, tag="exposure"):
    """A customer saw, clicked or dismissed the action that a tracking token stands for, or was converted by it."""

    token: str
    event: ExposureEvent
    at_ms: int


class ConsentChange(Input, frozen=True, kw_only=True, omit_defaults=True, tag="consent"):
    """A person granted or withdrew consent for one purpose on one channel (`*` for all of either).

    `at_ms` is when they said so. `source` is the name of the key that told it. A server key may name another place as
    the source; its own name is then in `key`. `address` is the place (profile id) of the mailbox or telephone that the
    statement binds, whoever has it; empty where it binds the person alone. `public` and `imported` are as in `Event`,
    `profile_id` as in `Decide`.
    """

    purpose: str
    channel: str
    granted: bool
    at_ms: int
    source: str
    text: str = ""
    identifiers: tuple[tuple[str, str], ...] = ()
    public: bool = False
    imported: bool = False
    address: str = ""
    key: str = ""
    profile_id: str = ""


class Authorise(Input, frozen=True, kw_only=True, tag="authorise"):
    """The dispatcher is about to hand this send over: may it still go?"""

    send_id: str
    dispatcher: str


class Settle(Input, frozen=True, kw_only=True, omit_defaults=True, tag="settle"):
    """The provider's answer to a hand-over: `sent` (a sandbox: `simulated`), `refused`, `unknown`, or `retry` (surely
    not sent); or `not_begun`, where it was asked nothing. `detail` is its reference or its message."""

    send_id: str
    outcome: Settlement
    detail: str = ""


class Join(Input, frozen=True, kw_only=True, omit_defaults=True, tag="join"):
    """Merge with profile `other`: somebody has decided it under a server key, or the engine is `confidence` sure. A
    decision about the entry `review` overrules limits and shared values, and with `force` also an identifier of which a
    person has only one."""

    other: str
    source: str = ""
    confidence: float = 1.0
    review: str = ""
    force: bool = False


class Registered(Input, frozen=True, kw_only=True, omit_defaults=True, tag="registered"):
    """The answer of an address's own place to the `Claim` of `holder`, with all words that bind the address. The place
    points to an `owner`; one that is `dropped` it does not know any more, because too many have the address."""

    address: str
    holder: str
    words: tuple[ConsentRecord, ...] = ()
    owner: bool = False
    dropped: bool = False


class Ask(Input, frozen=True, kw_only=True, omit_defaults=True, tag="ask"):
    """A message to an address's place: is there room for a send of `to`? `bound`: under the daily bound too."""

    address: str
    send: str
    to: str
    place: Place | None = None
    bound: bool = True


class Given(Input, frozen=True, kw_only=True, omit_defaults=True, tag="given"):
    """The answer to `Ask` about `address`: whether the send may go, as of `at_ms`; else the `reason`."""

    send: str
    granted: bool
    at_ms: int = 0
    reason: str = ""
    address: str = ""


class Used(Input, frozen=True, kw_only=True, omit_defaults=True, tag="used"):
    """A message to an address's own place about room that was given: its send left at `left_ms`; 0: never."""

    address: str
    send: str
    left_ms: int = 0


class Bind(Input, frozen=True, kw_only=True, tag="bind"):
    """A statement about consent that binds an address, told to the address's own place, which tells everybody who has
    the address, except `but`."""

    change: ConsentChange
    but: str = ""


class Confirm(Input, frozen=True, kw_only=True, tag="confirm"):
    """The person who reads the mail of the address whose place is `address` says that it is theirs."""

    address: str


class LookAtClock(Input, frozen=True, kw_only=True, tag="look_at_clock"):
    """The clock was set back behind this profile's last turn."""


class Erase(Input, frozen=True, kw_only=True, omit_defaults=True, tag="erase"):
    """Forget this person. As a message, `places` are the erased profile and all that pointed to it; empty where a
    person's own profile is asked. `lent` is as in `Claim`."""

    places: tuple[str, ...] = ()
    lent: tuple[Lent, ...] = ()


AnyInput = (
    Event
    | TimersDue
    | Decide
    | Exposure
    | ConsentChange
    | Authorise
    | Settle
    | Merge
    | HandOver
    | GoOn
    | HandedOver
    | Released
    | Claim
    | LookAtClock
    | Erase
    | Rejected
    | Declined
    | Ask
    | Given
    | Bind
    | Confirm
    | Stay
    | Join
    | Shares
    | Shared
    | Suspect
    | Resembles
    | Unlike
    | Candidate
    | Reviewed
    | Registered
    | Used
    | OpenLink
    | LinkRefused
    | Split
    | Revive
    | Revived
    | PointTo
    | Rejoin
    | PassedOn
    | Revert
    | Reconsider
    | Fact
)

# A place takes these also where its profile lives elsewhere.
AT_PLACES = (Merge, Claim, HandedOver, Bind, Shares, Revive, PointTo, Erase)
# These hold ids alone, and no data about a person.
_OF_LINKS = (OpenLink, LinkRefused, Unlike, Candidate)
_OF_ADDRESSES = (Given, Confirm, Used)
_OF_MERGES = (Merge, GoOn, HandedOver, Released, Declined, Stay, Join, Shares, Shared)
_OF_SPLITS = (Revived, PointTo, Rejoin, PassedOn, Revert)
IDS_ONLY = (*_OF_MERGES, *_OF_SPLITS, Claim, LookAtClock, Reconsider, Erase, *_OF_ADDRESSES, *_OF_LINKS)
