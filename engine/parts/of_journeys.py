"""The parts of a profile that journeys keep beside their runs.

They are written as arrays: a new field stands at the end and has a default.
"""

from __future__ import annotations

from engine.recent_events import Part


class Watched(Part):
    """What journeys watch of a customer beside events.

    `inside` are the watched segments that the customer belongs to, and since when. `occasions` are the last occasions
    of schedules and dates that were looked at, by journey, as local times in minutes (of a date, the end of its day);
    of a journey that takes in who is inside already, the instant at which this customer's turn comes. `wake_ms` is when
    something of this may change by the mere passing of time; 0: never. `looked` names the watched rules by which all of
    it was worked out.
    """

    looked: str = ""
    inside: dict[str, int] = {}  # noqa: RUF012 (a struct gives each its own)
    occasions: dict[str, int] = {}  # noqa: RUF012
    wake_ms: int = 0


class Interest(Part):
    """A thing that a customer has looked at: its place among things, and when that was last."""

    thing: str
    at_ms: int


class LateStop(Part):
    """A stop by an event that was told after its own time: its reason, when it happened and when it was heard."""

    reason: str
    happened_ms: int
    heard_ms: int
    message_id: str = ""


class EarlyOutcome(Part):
    """What came of a message that is being handed over, told before its provider has answered."""

    outcome: str
    at_ms: int


class SendOutcome(Part):
    """What became of a send: one of each kind, by (send, outcome). Of `sent` and `simulated`, `at_ms` is when the
    message left."""

    send: str
    run: str
    step: str
    channel: str
    outcome: str
    at_ms: int
    journey: str = ""
    action: str = ""
