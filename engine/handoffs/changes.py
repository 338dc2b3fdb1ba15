"""Notes each change of touchpoint of one person: whence, what came along, by which identifier, and how fast.

The check at nearly every event is that it happened where the last one did. Where an event brings another profile along,
the hand-off is noted when that has arrived: only then is the context here, and only then it is known whence the person
came. What took longer than its goal allows (`transitions` in `identity.yaml`) is noted as missed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from engine import seeds
from engine.catalog.identity_rules import HandOffGoal, IdentityRules
from engine.handoffs import carried, opening, touchpoints
from engine.handoffs.links import SignedLink
from engine.identity import home
from engine.inputs import Event
from engine.parts.of_identity import HandOff, Touch
from engine.profile import Profile
from engine.turn_state import Turn

KEPT: Final = 20  # of the newest, in the profile; the timeline has them all
BY_LINK: Final = "link"
READY: Final = "ready"  # in `missed`: the context came too late


def arrive(turn: Turn, event: Event) -> None:
    """An event happened at a touchpoint. `claims` has learned from it whom it is about. One that is so late that it
    starts no journey changes nothing here either."""
    if event.at_ms < turn.now_ms - turn.catalog.lateness_ms:
        return
    profile = turn.profile
    link = opening.follow(turn, event) if event.link else None
    kind, touch = event.touchpoint, profile.touch
    if touch is not None and kind == touch.kind and link is None and not profile.absorbing:
        if event.at_ms > touch.last_ms:
            touch.last_ms = event.at_ms
    elif kind:
        _come(turn, event, kind, link)


def join(turn: Turn, other: Profile, origin: str) -> None:
    """Another profile is about to become a part of this one: of both touchpoints the later one is where the person is
    now. `origin` is the place that the other one comes from."""
    profile = turn.profile
    for send, device in other.opened.items():
        profile.opened.setdefault(send, device)
    mine, theirs = profile.touch, other.touch
    if mine is None or theirs is None:
        profile.touch = mine or theirs
    else:
        newer, older = (mine, theirs) if mine.last_ms >= theirs.last_ms else (theirs, mine)
        if touchpoints.is_same(newer.kind, older.kind):
            newer.first_ms = min(newer.first_ms, older.first_ms)
        elif newer.by != BY_LINK and older.last_ms > newer.was_ms:
            newer.was, newer.was_ms, newer.by = older.kind, older.last_ms, _namespace_of(turn, other, origin)
        newer.since_ms = newer.since_ms or older.since_ms
        profile.touch = newer
    touch = profile.touch
    if touch is not None:
        touch.asks = False
        touch.had = sorted({*touch.had, *_names(turn, profile, touch), *_names(turn, other, touch)})


def settle(turn: Turn) -> None:
    """Note the hand-off that waited for other profiles, if all have arrived."""
    touch = turn.profile.touch
    if touch is not None and touch.since_ms and not touch.asks and not turn.profile.absorbing:
        _finish(turn, touch)


def _come(turn: Turn, event: Event, kind: str, link: SignedLink | None) -> None:
    profile = turn.profile
    before, at_ms = profile.touch, event.at_ms
    if before is None:
        touch = Touch(kind, at_ms, at_ms)
    elif touchpoints.is_same(kind, before.kind):
        touch = before
        touch.last_ms = max(touch.last_ms, at_ms)
        touch.kind = before.kind if kind == touchpoints.WEB else kind
    elif at_ms < before.last_ms:  # it is told late, and the person has been elsewhere since
        return
    else:
        if before.since_ms and not before.asks:
            _finish(turn, before)
        by = _linked_by(turn, event, before.last_ms)
        touch = Touch(kind, at_ms, at_ms, was=before.kind, was_ms=before.last_ms, by=by)
    profile.touch = touch
    if link is not None:
        sent_ms = link.sent_s * 1000
        touch.first_ms, touch.was, touch.was_ms = at_ms, touchpoints.of_channel(turn.catalog, link.channel), sent_ms
        touch.by, touch.asks = BY_LINK, not opening.is_own(profile, link.profile)
    if touch.was or profile.absorbing or touch.asks:
        # History that is imported waits for its time on a replay clock: then its turn is when it came.
        touch.since_ms = touch.since_ms or (turn.now_ms if event.imported else event.received_at_ms)
        settle(turn)


def _finish(turn: Turn, touch: Touch) -> None:
    if touch.was and not touchpoints.is_same(touch.was, touch.kind):
        _note(turn, touch)
    touch.since_ms, touch.was, touch.was_ms, touch.by, touch.had = 0, "", 0, "", []


def _note(turn: Turn, touch: Touch) -> None:
    profile, catalog = turn.profile, turn.catalog
    at_ms = touch.first_ms if touch.first_ms >= touch.was_ms else touch.last_ms
    counts = carried.of(profile, catalog, turn.now_ms, at_ms)
    goal, ready_ms = goal_of(catalog.identity, touch.was, touch.kind), max(0, turn.now_ms - touch.since_ms)
    done = HandOff(at_ms, touch.was, touch.kind, touch.by, max(0, at_ms - touch.was_ms), ready_ms, list(counts))
    if goal is not None:
        done.goal, done.required_ms = goal.id, goal.ready_ms
        done.missed = [READY] if ready_ms > goal.ready_ms else []
        done.missed += [name for name in goal.carries if name in touch.had and name not in counts]
    profile.handoffs.append(done)
    del profile.handoffs[:-KEPT]
    turn.note(
        "transition",
        f"{done.was} → {done.into} by {done.by or 'the profile'}",
        outcome="" if goal is None else "missed" if done.missed else "met",
        reason=f"transition.{done.missed[0]}" if done.missed else "",
        detail=_detail(done, counts),
    )


def _detail(done: HandOff, counts: Mapping[str, int]) -> dict[str, object]:
    told = {
        "from": done.was,
        "into": done.into,
        "by": done.by,
        "tookMs": done.took_ms,
        "readyMs": done.ready_ms,
        "carried": dict(counts),
    }
    return told | ({"goal": done.goal, "requiredMs": done.required_ms, "missed": done.missed} if done.goal else {})


def goal_of(rules: IdentityRules, was: str, into: str) -> HandOffGoal | None:
    """The goal for a change of touchpoint, None where there is none. In a goal `web` means any page."""
    return next((goal for goal in rules.goals if _names_it(goal.was, was) and _names_it(goal.into, into)), None)


def _names_it(named: frozenset[str], kind: str) -> bool:
    return kind in named or (kind in touchpoints.DEVICES and touchpoints.WEB in named)


def _names(turn: Turn, profile: Profile, touch: Touch) -> list[str]:
    """What there is to bring along; asked only where a goal wants to know."""
    if not any(goal.carries for goal in turn.catalog.identity.goals):
        return []
    return list(carried.of(profile, turn.catalog, turn.now_ms, touch.last_ms))


def _linked_by(turn: Turn, event: Event, until_ms: int) -> str:
    """The namespace of the identifier by which an event is this person's: of those that were known at the former
    touchpoint the one of the highest priority."""
    rank = turn.catalog.identity.rank
    named = set(home.named(event))
    known = [link for link in turn.profile.identifiers if (link.namespace, link.value) in named]
    before = [link.namespace for link in known if link.first_seen_ms <= until_ms]
    return min(before or [link.namespace for link in known], key=lambda name: (rank(name), name), default="")


def _namespace_of(turn: Turn, other: Profile, place: str) -> str:
    """The namespace of the identifier that brought another profile here, whose place that is."""
    if other.moving_by is not None and other.moving_by.namespace:
        return other.moving_by.namespace
    key = turn.catalog.id_key
    for link in (*other.identifiers, *turn.profile.identifiers):
        if seeds.profile_id(key, link.namespace, link.value)[:-2] == place[:-2]:
            return link.namespace
    return other.born or "merge"
