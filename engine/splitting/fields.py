"""What each of two profiles gets back of each field of the one that they were, when a merge is undone.

Four states say it: both profiles before the merge, the one after it, and the one now. What is as the merge has made it
becomes what it was, so with nothing in between both profiles are what they were. What has changed since goes by the
identifiers that came with it. Nothing becomes freer by it: a no that was said meanwhile holds on both sides, and a
message that has left counts on both. `RULES` names every field of a profile.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from engine.profile import Place, Profile, Send
from engine.recent_events import Happened, encoder, history_order
from engine.splitting import words
from engine.splitting.case import Case, Rule, listing, mapping
from engine.splitting.rules import of_frequency, of_identity, of_journeys, of_runs
from engine.splitting.sides import Side


def part(case: Case) -> None:
    """Give both profiles their fields."""
    for name, rule in RULES.items():
        rule(case, name)
    _history(case)


def _own(case: Case, name: str) -> None:
    """Each has its own, as it was."""


def _stays(case: Case, name: str) -> None:
    """The survivor's goes on, the other has its own as it was."""
    setattr(case.mine, name, getattr(case.now, name))


def _not_theirs(case: Case, name: str) -> None:
    """The survivor's goes on. What the other had, the merge has ended, and whoever else it was about has heard that."""
    _stays(case, name)
    setattr(case.theirs, name, [])


def _changed_stays(case: Case, name: str) -> None:
    """Each has its own as it was; what has changed of it since is the survivor's."""
    if getattr(case.now, name) != getattr(case.after, name):
        setattr(case.mine, name, getattr(case.now, name))


def _touch(case: Case, name: str) -> None:
    """The same of the touchpoint. What one of them waited for, while the other was on its way, comes no more."""
    for profile in (case.mine, case.theirs):
        if profile.touch is not None:
            touch = profile.touch
            profile.touch = msgspec.structs.replace(touch, since_ms=0, was="", was_ms=0, by="", had=[], asks=False)
    _changed_stays(case, name)


def _clock(case: Case, name: str) -> None:
    case.mine.clock_ms = case.theirs.clock_ms = case.now.clock_ms


def _seq(case: Case, name: str) -> None:
    if case.now.seq != case.after.seq:
        case.mine.seq = case.theirs.seq = case.now.seq


def _none(case: Case, name: str) -> None:
    """No merge is under way while one is undone."""
    for profile in (case.mine, case.theirs):
        setattr(profile, name, getattr(Profile(""), name))


def _itself(row: Any) -> Any:
    return row


def _both(case: Case, *_: Any) -> Side:
    return Side.BOTH


def _mine(case: Case, *_: Any) -> Side:
    return Side.MINE


def _of_place(case: Case, place: str, *_: Any) -> Side:
    return case.sides.of_place(place) or Side.MINE


def _of_pointer(case: Case, place: str, *_: Any) -> Side:
    """One of them counts for an address that both have: the one that its place points to."""
    return Side.THEIRS if case.sides.of_place(place) is Side.THEIRS else Side.MINE


def _of_device(case: Case, _: str, place: str) -> Side:
    return case.sides.of_place(place) or Side.MINE


# -- what was said and what was counted


def _place_owner(case: Case, place: Place) -> Side:
    """A message that has left counts on both sides. A place of a send that waits goes with it, and so does one of
    somebody's that has changed; what was shown counts for both."""
    send = next((send for send in case.now.sends if send.id == place.ref), None)
    if place.left_ms or send is None:
        return Side.BOTH
    return case.run_side(send.run)


def _send_owner(case: Case, send: Send) -> Side:
    return case.run_side(send.run)


def _id(row: Any) -> str:
    return str(row.id)


def _promise(row: Any) -> tuple[str, str, float, str]:
    return row.subject, row.action, row.discount, row.ref


def _history(case: Case) -> None:
    """The recent events, each once: those of before by whose they were, the others by the identifiers that they
    carried. One that both had before has counted once (`engine.events.common_past`)."""
    now, mine, theirs = (_bag(profile.history.events) for profile in (case.now, case.before, case.other))
    kept: tuple[list[Happened], list[Happened]] = ([], [])
    for event in case.now.history:
        packed = encoder.encode(event)
        if mine[packed] and theirs[packed] and now[packed] == 1:
            side = Side.BOTH
        elif mine[packed]:
            mine[packed] -= 1
            side = Side.MINE
        elif theirs[packed]:
            theirs[packed] -= 1
            side = Side.THEIRS
        else:
            side = case.owner(event.by, "events", event.message_id or event.name)
        for events, gets in zip(kept, (side.here, side.there), strict=True):
            events += [event] * gets
    for profile, was, events in ((case.mine, case.before, kept[0]), (case.theirs, case.other, kept[1])):
        if _bag(events) == _bag(was.history.events):
            profile.history = was.history
        else:
            profile.history = sorted(events, key=history_order)


def _bag(events: Sequence[Happened]) -> Counter[bytes]:
    return Counter(map(encoder.encode, events))


RULES: Final[Mapping[str, Rule]] = {
    "id": _own,
    "clock_ms": _clock,
    "seq": _seq,
    "created_ms": _own,
    "audit_seq": _stays,
    "audit_head": _stays,
    "message_seq": _stays,
    "moving_to": _none,
    "identifiers": of_identity.identifiers,
    "traits": words.traits,
    "consent": words.said,
    "runs": of_runs.runs,
    "sends": listing(_id, _send_owner),
    "places": listing(lambda place: place.ref, _place_owner, lambda place: (place.at_ms, place.ref)),
    "held": of_identity.held,
    "absorbing": _none,
    "ledger": of_identity.ledger,
    "locale": _own,  # with `of_device`
    "timezone": _own,
    "pages": _own,
    "spilled": _own,
    "tallies": _own,
    "tallied": _own,
    "fatigue": of_frequency.fatigue,
    "promises": listing(_promise, _both, lambda each: each.subject),
    "awaiting": words.said,
    "locale_ms": _own,
    "timezone_ms": _own,
    "told": listing(_itself, _of_place),
    "unanswered": listing(_itself, _of_place),
    "owns": listing(_itself, _of_pointer),
    "declined": listing(_itself, _both),
    "holders": listing(_itself, _mine),
    "lent": listing(lambda each: each.ref, _both, lambda each: (each.at_ms, each.ref)),
    "publicly": _none,
    "refused": listing(
        lambda row: (row.journey, row.reason, row.key), _both, lambda row: (row.at_ms, row.noted_ms, row.journey)
    ),
    "outcomes": of_journeys.OUTCOMES,
    "details": _own,
    "drawn": mapping(_both),
    "drawn_as": _own,
    "shared": listing(_itself, _of_place),
    "likely": _not_theirs,
    "handoffs": listing(lambda each: (each.at_ms, each.was, each.into), _mine),
    "touch": _touch,
    "opened": mapping(_of_device),
    "split_off": of_identity.split_off,
    "parting": _stays,
    "reviewed": _stays,
    "born": _own,
    "born_ms": _own,
    "moving_by": _none,
    "sharers": listing(_itself, _mine),
    "apart": listing(_itself, _both),
    "unlike": listing(_itself, _both),
    "interests": of_journeys.INTERESTS,
    "watched": of_journeys.watched,
    "asked_ms": mapping(_both),
    "candidates": _not_theirs,
    "of_device": words.of_device,
    "asked_about": _stays,
    "asked_by": listing(_itself, _both),
}
