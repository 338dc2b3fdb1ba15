"""The state that one profile actor owns. Only a turn changes it; only `engine.codec` turns it into bytes.

`history` holds the recent events, by event time; older ones are in pages beside the state (`engine.events.history`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from engine.parts.of_decisions import Drawn as Drawn
from engine.parts.of_decisions import FatigueLevel as FatigueLevel
from engine.parts.of_decisions import Place as Place
from engine.parts.of_decisions import Promise as Promise
from engine.parts.of_identity import Evidence, HandOff, Likely, Link, Merged, Touch
from engine.parts.of_journeys import EarlyOutcome, Interest, LateStop, SendOutcome, Watched
from engine.recent_events import Happened, Part, Recent


class TraitValue(Part):
    """A trait with the event time that wrote it: the last writer by (event time, arrival) wins. `public` says that it
    came under a write key. `others` are words that it has replaced or that lost to it, for whoever takes back what a
    source said (`engine.identity.trait_words`); they have no others themselves."""

    value: Any
    at_ms: int
    public: bool = False
    source: str = ""  # the name of the key that told it
    by: list[str] = []  # noqa: RUF012 (the identifiers' places that its event carried, while merges can be undone)
    heard_ms: int = 0  # when its source first said this, by the clock; 0: not known, as `at_ms`
    others: list[TraitValue] = []  # noqa: RUF012 (a struct gives each its own)
    is_joined: bool = False  # it is the union of all of `others`


class Word(Part):
    """A word on one (purpose, channel), with how and when it was given."""

    purpose: str
    channel: str
    granted: bool
    at_ms: int
    source: str
    receipt: str
    text: str = ""
    address: str = ""  # the place of the mailbox or telephone that this word binds; empty: the person
    key: str = ""  # the name of the key that told it, where `source` is what that key said
    by: list[str] = []  # noqa: RUF012 (places of the identifiers that came with it, while merges can be undone)


class ConsentRecord(Word):
    """The latest word on one (purpose, channel)."""

    lifted: list[Word] = []  # noqa: RUF012 (each no of an address that was lifted; while merges can be undone, each no)


class Run(Part):
    """One customer's way through one journey: a position in the program of catalog `version`.

    `due_ms` is 0 where no timer is pending; `generation` tells a timer from the one that it replaced.
    """

    id: str
    journey: str
    version: str
    key: str
    tier: str
    entered_ms: int
    trigger_ms: int
    trigger_seq: int
    trigger: dict[str, Any]
    position: int = 0
    due_ms: int = 0
    generation: int = 0
    occurrence: int = 0
    state: str = "active"  # active | completed | exited | stopped (`engine.journeys.life`)
    ended_ms: int = 0
    ended_by: str = ""
    held: str = ""  # the reason for which its send waits
    held_ms: int = 0  # and since when
    was_due_ms: int = 0  # when a timer that a pause has put off was due; 0: it goes on as soon as it may
    is_met: bool = False  # the event that its `wait_for` awaits came during a pause
    public: bool = False  # its trigger came under a write key
    told_at: list[str] = []  # noqa: RUF012 (places of the unverified addresses that were current when it was entered)
    since_ms: int = 0  # when its step began: time and number of the event that led there; 0: not known, its trigger's
    since_seq: int = 0
    began_ms: int = 0  # when its wait first began, by the clock; 0: not known
    by: list[str] = []  # noqa: RUF012 (places of the identifiers that its trigger carried, while merges can be undone)
    parent: str = ""  # the run that this branch of a `parallel` step belongs to
    ends_at: int = 0  # the position of the `join` where a branch ends; 0: it is a run of its own
    awaits: str = ""  # the send whose outcome its step waits for
    tried: list[str] = []  # noqa: RUF012 (the channels on which its send step has sent already)
    touches: int = 0  # messages that it has sent
    jumps: dict[str, int] = {}  # noqa: RUF012 (how often each `goto` step was taken)
    branches: int = 0  # how many branches of its `parallel` have not come to the join where it waits
    sent: dict[str, str] = {}  # noqa: RUF012 (the newest send of each step, the last one at the end; where outcomes are awaited)
    edition: int = 0  # the last edit of its journey that it was asked for (`engine.journeys.steps.edits`)
    begins: bool = False  # an edit has brought it to its step, which begins when its timer fires

    @property
    def triggered(self) -> tuple[int, int]:
        """The (time, arrival) of its trigger, by which other events are earlier or later: never ahead of its turn."""
        return min(self.trigger_ms, self.entered_ms), self.trigger_seq


class Send(Part):
    """An intended message that is not settled yet (`engine.sends.life` has its life as a table)."""

    id: str
    run: str
    journey: str
    step: str
    action: str
    variant: str
    channel: str
    tier: str
    purpose: str
    basis: str  # the id of the consent receipt, `default` or `not needed`
    version: str
    decided_ms: int
    state: str = "decided"  # decided | handing_over
    dispatcher: str = ""
    attempts: int = 0
    next_ms: int = 0  # of another attempt
    trigger: dict[str, Any] = {}  # noqa: RUF012 (a struct gives each its own)
    round: int = 0  # of its action, when it was decided
    public: bool = False  # its trigger came under a write key
    room: str = ""  # `claimed`: its address's place has not answered; `asked`, `given`: another profile counts for it
    address: str = ""  # the place of the address where it was asked for room last
    given_ms: int = 0  # when the room was given, by the clock of the profile that gave it
    deadline_ms: int = 0  # after it the message is worthless; 0: none
    late_stop: LateStop | None = None  # a stop that should have kept it back, told during its hand-over
    let_go: str = ""  # the reason for which it is withdrawn where it comes back from its hand-over
    early: list[EarlyOutcome] = []  # noqa: RUF012 (a struct gives each its own)

    @property
    def waits_ms(self) -> int:
        """From when on it may be handed over, which is its place in the outbox; 0 while a dispatcher has it."""
        return 0 if self.dispatcher else self.next_ms or self.decided_ms


class Refusal(Part):
    """Why a journey was not entered though its trigger happened: last at `at_ms`, when `condition` failed; noted last
    at `noted_ms`. `key` is empty where the reason has nothing to do with it."""

    journey: str
    reason: str
    key: str
    noted_ms: int
    at_ms: int
    condition: dict[str, Any] = {}  # noqa: RUF012 (a struct gives each its own)


class Lent(Part):
    """A place at an address that this profile has given to another one's send, of the kind that caps ask for.

    It was given at `at_ms`; `left_ms` is 0 until the other profile says that its message has left.
    """

    ref: str
    address: str
    at_ms: int
    action: str = ""
    channel: str = ""
    tier: str = "service"
    purpose: str = ""
    category: str = ""
    group: str = ""
    left_ms: int = 0


class Detail(Part):
    """The parts of an event that is not recent any more at which conditions of runs may still look."""

    at_ms: int
    properties: dict[str, Any]


class Profile(msgspec.Struct, array_like=True, dict=True):
    """A customer, known or anonymous."""

    id: str
    clock_ms: int = 0
    seq: int = 0
    created_ms: int = 0
    audit_seq: int = 0
    audit_head: bytes = b""
    message_seq: int = 0
    moving_to: str = ""
    identifiers: list[Link] = []
    traits: dict[str, TraitValue] = {}
    consent: list[ConsentRecord] = []
    places: list[Place] = []
    runs: list[Run] = []
    sends: list[Send] = []
    held: list[str] = []  # places (profile ids) of other identifiers that point here
    absorbing: list[str] = []
    ledger: list[Merged] = []
    locale: str = ""
    timezone: str = ""
    pages: int = 0  # how many pages of its own history have left
    spilled: int = 0  # how many events are in pages, those of merged profiles included
    tallies: dict[str, list[int]] = {}  # the event counters: newest times by atom, oldest first
    tallied: str = ""  # the name of the set of counters that these are
    fatigue: dict[str, FatigueLevel] = {}
    promises: list[Promise] = []
    awaiting: list[ConsentRecord] = []  # a yes that its source may not grant: no effect until the person confirms it
    locale_ms: int = 0
    timezone_ms: int = 0
    told: list[str] = []  # places of addresses that know that this profile has them
    owns: list[str] = []  # those of them that point here
    declined: list[str] = []  # places that a write key's word could not merge, so that it is not tried again
    holders: list[str] = []  # at an address's own place: other profiles that have the address
    lent: list[Lent] = []
    publicly: list[str] = []  # visitors that only a write key's word brings here, still on their way
    refused: list[Refusal] = []  # by journeys, the one that was heard last at the end
    details: dict[str, list[Detail]] = {}  # beside the counters: for questions of runs with facts of their own
    drawn: dict[str, Drawn] = {}  # by `variant <action>` and `holdout <id>` (`engine.decide.draws`)
    drawn_as: str = ""  # the id by which new draws are drawn; empty: its own
    shared: list[str] = []  # places of its own and of its identifiers whose values are shared by several people
    likely: list[Likely] = []  # other profiles that are probably this person
    handoffs: list[HandOff] = []  # changes between touchpoints, the newest last
    opened: dict[str, str] = {}  # signed links by their ids, and the place of the device that opened each first
    split_off: dict[str, str] = {}  # places that pointed here, and the profile that a split gave them to
    parting: list[str] = []  # profiles that a split has made, on their way to their own places
    reviewed: list[str] = []  # ids of the newest entries of the review queue, so that none is made twice
    born: str = ""  # the namespace of the identifier that its id was made of; empty: not known
    unanswered: list[str] = []  # those of `told` that have not answered: the words that bind them may be on their way
    touch: Touch | None = None  # where this person was seen last
    born_ms: int = 0  # when it was made itself, where it has taken in an older one; 0: as `created_ms`
    moving_by: Evidence | None = None  # why it is on its way to `moving_to`
    sharers: list[str] = []  # at an identifier's own place: others that have it too and could not be merged
    apart: list[str] = []  # places that a trusted word could not merge with this profile, so that it is not tried again
    unlike: list[str] = []  # profiles that somebody has called other people, the newest last
    asked_ms: dict[str, int] = {}  # when the places of `declined` and `apart` have declined last
    candidates: list[str] = []  # others about whom a question is open, here or there: whether both are one person
    watched: Watched | None = None  # what journeys watch beside events: segments, schedules, dates
    interests: list[Interest] = []  # the things that facts about them reach this person by, the newest last
    outcomes: list[SendOutcome] = []  # what became of the newest sends of journeys
    of_device: dict[str, TraitValue] = {}  # the words that `locale` and `timezone` are of
    asked_about: dict[str, str] = {}  # entries of the review queue about a merge, by their ids: the other profile
    asked_by: list[tuple[str, str]] = []  # profiles with such entries about this one, and by which id they know it

    @property
    def history(self) -> Recent:
        """The recent events, by (event time, arrival). No struct field, so it is decoded only when it is read."""
        found: Recent | None = self.__dict__.get("history")
        if found is None:
            found = self.__dict__["history"] = Recent()
        return found

    @history.setter
    def history(self, events: Iterable[Happened]) -> None:
        self.__dict__["history"] = events if isinstance(events, Recent) else Recent(events)

    @property
    def trait_values(self) -> dict[str, Any]:
        """The traits without their times."""
        return {name: trait.value for name, trait in self.traits.items()}

    @property
    def is_blank(self) -> bool:
        """Whether nothing is known: such a profile leaves no record behind."""
        known = (self.identifiers, self.places, self.runs, self.consent, self.held, self.promises, self.fatigue)
        return not (any(known) or self.history)


class Tombstone(msgspec.Struct, array_like=True):
    """The pointer in the place of a profile that was merged, or of an identifier that belongs to a profile elsewhere.

    `heir` took in the profile, where the pointer has moved on since: the outcome of a send that was on its way then is
    for the heir. In the place of an address, `holders` are the profiles that have it beside `to`, and `words` are the
    statements about consent by that address, without texts.
    """

    to: str
    at_ms: int
    message_seq: int = 0
    heir: str = ""
    holders: list[str] = []
    words: list[ConsentRecord] = []
    shared: bool = False  # its value is shared by several people, and joins nobody
    sharers: list[str] = []  # profiles that have it beside `to`, and could not be merged with it


def tombstone_of(was: Profile | Tombstone, to: str, at_ms: int, message_seq: int) -> Tombstone:
    """The tombstone of a place whose profile goes on in `to`, or whose pointer moves there."""
    if isinstance(was, Tombstone):
        heir = was.heir or was.to
        return Tombstone(to, at_ms, message_seq, heir, was.holders, was.words, was.shared, was.sharers)
    words = [msgspec.structs.replace(word, text="") for word in was.consent if word.address[:-2] == was.id[:-2]]
    return Tombstone(to, at_ms, message_seq, "", was.holders, words, was.id in was.shared, was.sharers)
