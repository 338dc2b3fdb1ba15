"""What became of a journey's sends, as later steps and conditions see it.

The provider's answer comes with the settling of a send. What comes later is told as an event under Segment's name
(`Email Opened`), with the send's id in its property `send_id`; only one that came under a server key counts. Each is
remembered for a while, and journeys hear of it as an event `segue:outcome` that no history keeps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from engine.catalog import inner_events
from engine.catalog.compiled import Catalog, Journey
from engine.catalog.inner_events import OUTCOME as OUTCOME
from engine.catalog.once_per_catalog import once_per_catalog
from engine.conditions.outcomes import ENGAGED as ENGAGED
from engine.conditions.outcomes import is_young, last_engaged, remembered_until
from engine.inputs import Event
from engine.parts.of_journeys import EarlyOutcome, LateStop, SendOutcome
from engine.profile import Profile, Run, Send
from engine.recent_events import Happened
from engine.sends import touches
from engine.turn_state import Turn
from engine.vocabulary import ARRIVED

UNAVOIDABLE: Final = "unavoidable"  # a stop was told of after it had left
LEFT: Final = frozenset((*ARRIVED, "unknown"))  # the customer may have the message

OF_EVENTS: Final[Mapping[str, str]] = {
    "Email Delivered": "delivered",
    "Email Opened": "opened",
    "Email Link Clicked": "clicked",
    "Email Bounced": "bounced",
    "Email Marked as Spam": "complained",
    "Push Notification Received": "delivered",
    "Push Notification Tapped": "clicked",
    "Push Notification Bounced": "bounced",
    "SMS Delivered": "delivered",
    "SMS Link Clicked": "clicked",
    "SMS Failed": "bounced",
}
_AS_A_WORD: Final = msgspec.msgpack.encode("outcome")
_SEND_ID: Final = "send_id"
_BY_MACHINES: Final = ("machine", "automated")  # properties that say that no human did it

KEPT_MAX: Final = 64
EARLY_MAX: Final = 8  # outcomes that are told of one message before its provider has answered


def settled(turn: Turn, send: Send, outcome: str, reason: str, at_ms: int) -> None:
    """A send has come to its end; `at_ms` is when it left, where it did."""
    row = SendOutcome(send.id, send.run, send.step, send.channel, outcome, at_ms, send.journey, send.action)
    _keep(turn, row)
    _tell(turn, row, turn.now_ms, reason=reason)
    if outcome not in LEFT:
        return
    if send.late_stop is not None:
        unavoidable(turn, row, send.late_stop)
    for early in send.early:
        _came(turn, row, early)


def held(turn: Turn, run: Run, send_id: str, step: str, action: str, channel: str, reason: str) -> None:
    """A send came to its end before it was decided."""
    row = SendOutcome(send_id, run.id, step, channel, "held", turn.now_ms, run.journey, action)
    _keep(turn, row)
    _tell(turn, row, turn.now_ms, reason=reason)


def learn(turn: Turn, event: Event) -> None:
    """Take in what an event says of a message that has left, or is leaving: a provider may tell of a bounce before it
    answers."""
    outcome = OF_EVENTS.get(event.name)
    if outcome is None or event.public or not (turn.profile.outcomes or turn.profile.sends):
        return
    if outcome in ENGAGED and any(event.properties.get(word) is True for word in _BY_MACHINES):
        return
    came, send = EarlyOutcome(outcome, event.at_ms), event.properties.get(_SEND_ID)
    leaving = next((each for each in turn.profile.sends if each.id == send and each.state == "handing_over"), None)
    if leaving is not None and came not in leaving.early and len(leaving.early) < EARLY_MAX:
        leaving.early.append(came)
    sent = next((row for row in turn.profile.outcomes if row.send == send and row.outcome in LEFT), None)
    if sent is not None:
        _came(turn, sent, came)


def _came(turn: Turn, sent: SendOutcome, came: EarlyOutcome) -> None:
    """Something came of a message that has left."""
    row = msgspec.structs.replace(sent, outcome=came.outcome, at_ms=came.at_ms)
    if came.outcome == "bounced" and not _is_known(turn, row):
        touches.take_off(turn.profile, row.run)
        _put(turn, row)  # whoever asks, so that a repeated bounce takes nothing off again
    _keep(turn, row)
    _tell(turn, row, came.at_ms)


def left_ms(profile: Profile, send: str) -> int:
    """When a message left; 0 where it did not, or nobody remembers."""
    return next((row.at_ms for row in profile.outcomes if row.send == send and row.outcome in LEFT), 0)


def left_since(profile: Profile, at_ms: int) -> list[SendOutcome]:
    """The messages that left after an instant and are not marked as unavoidable."""
    if not profile.outcomes:
        return []
    marked = {row.send for row in profile.outcomes if row.outcome == UNAVOIDABLE}
    return [row for row in profile.outcomes if row.outcome in LEFT and row.at_ms > at_ms and row.send not in marked]


def unavoidable(turn: Turn, sent: SendOutcome, stop: LateStop) -> None:
    """A message has left that a stop should have kept back, of which the engine heard too late."""
    latency_ms = stop.heard_ms - stop.happened_ms
    turn.note(
        "send",
        f"{sent.action} was unavoidable",
        channel=sent.channel,
        journey=sent.journey,
        run=sent.run,
        step=sent.step,
        action=sent.action,
        outcome=UNAVOIDABLE,
        reason=stop.reason,
        message_id=stop.message_id,
        detail={"send": sent.send, "latencyMs": latency_ms, "sentAfterMs": sent.at_ms - stop.happened_ms},
    )
    row = msgspec.structs.replace(sent, outcome=UNAVOIDABLE)
    _put(turn, row)
    _tell(turn, row, turn.now_ms, reason=stop.reason, latency_ms=latency_ms)


def join(profile: Profile, other: Profile) -> None:
    """Take in the outcomes of an absorbed profile."""
    rows = {(row.send, row.outcome): row for row in (*other.outcomes, *profile.outcomes)}
    profile.outcomes = sorted(rows.values(), key=_age)[-KEPT_MAX:]


def forget_old(turn: Turn) -> None:
    """Keep what is young, and the last reaction on each channel; at most KEPT_MAX."""
    rows, now_ms = turn.profile.outcomes, turn.now_ms
    if len(rows) <= KEPT_MAX and is_young(rows[0], now_ms):
        return
    last = last_engaged(rows)
    young = [row for row in rows if is_young(row, now_ms)]
    old = [row for row in rows if not is_young(row, now_ms) and remembered_until(row, last) > now_ms]
    turn.profile.outcomes = [*old, *young[-(KEPT_MAX - len(old)) :]]


def _is_known(turn: Turn, row: SendOutcome) -> bool:
    return any((each.send, each.outcome) == (row.send, row.outcome) for each in turn.profile.outcomes)


def _age(row: SendOutcome) -> tuple[int, str, str]:
    return row.at_ms, row.send, row.outcome


def _keep(turn: Turn, row: SendOutcome) -> None:
    """Remember an outcome where anything of the catalog may ask for it."""
    if not (row.outcome in LEFT and _are_left_kept(turn.catalog)) and not _listens(turn):
        return
    _put(turn, row)


def _put(turn: Turn, row: SendOutcome) -> None:
    rows = [each for each in turn.profile.outcomes if (each.send, each.outcome) != (row.send, row.outcome)]
    turn.profile.outcomes = sorted([*rows, row], key=_age)


def _tell(turn: Turn, row: SendOutcome, at_ms: int, **more: Any) -> None:
    if not _listens(turn):
        return
    turn.profile.seq += 1  # a number of its own, so that two of one turn start two runs
    properties = inner_events.of_outcome(
        row.outcome,
        step=row.step,
        send=row.send,
        action=row.action,
        channel=row.channel,
        journey=row.journey,
        run=row.run,
    )
    turn.inner.append(Happened(at_ms, turn.profile.seq, OUTCOME, {**properties, **more}))


def _listens(turn: Turn) -> bool:
    """Whether the active catalog or one that a run names has anything to do with outcomes."""
    versions = {run.version for run in turn.profile.runs if run.state == "active"} - {turn.catalog.version}
    return _asks(turn.catalog) or any(_asks(turn.catalog.of_version(version)) for version in versions)


@once_per_catalog
def _asks(catalog: Catalog) -> bool:
    return (
        OUTCOME in catalog.entered_by
        or OUTCOME in catalog.stop_names
        or any(map(_asks_in, catalog.journeys.values()))
        or (_AS_A_WORD in catalog.document and _is_asked_in(msgspec.msgpack.decode(catalog.document)))
    )


def _is_asked_in(data: Any) -> bool:
    """Whether a condition of plain data asks for an outcome."""
    if isinstance(data, dict):
        asked = data.get("outcome")
        return (isinstance(asked, dict) and "name" in asked) or any(map(_is_asked_in, data.values()))
    return isinstance(data, list) and any(map(_is_asked_in, data))


def _asks_in(journey: Journey) -> bool:
    return any(
        step.sending.awaits or step.sending.rule == "last_engaged" or (step.event and step.event.event == OUTCOME)
        for step in journey.steps
    )


@once_per_catalog
def _are_left_kept(catalog: Catalog) -> bool:
    """Whether a late stop may find that a message has left, or a bounce gives a run one of its touches back."""
    journeys = catalog.journeys.values()
    has_stops = catalog.stop_names or catalog.lasting_stops or any(journey.lasting_stops for journey in journeys)
    return bool(has_stops) or any(journey.guards.touches is not None for journey in journeys)
