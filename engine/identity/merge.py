"""How one profile absorbs another, in durable messages (`docs/design/identity.md#merging`, Invariant 8).

    survivor ──Absorb──► other      the other parks its inputs and surrenders all that it holds
    survivor ◄─HandOver── other     a piece of a long past, which is the survivor's from then on …
    survivor ──GoOn──► other        … and asks for the next one
    survivor ◄─HandOver── other     the survivor takes it in; what arrives meets its stops, opt-outs and caps first
    survivor ──HandedOver──► other  the other becomes a tombstone that points to the survivor

Most pasts fit into one message, and the two in the middle are left out. The state comes last, all at once: until then
the other one still is who it was, and may find that it stays. One piece at a time is on its way, so neither side ever
holds more of a past than that.

The first absorb takes the state. A later one that finds a tombstone only moves the pointer, for later inputs, once who
takes it in has said so, and tells the former owner; a hand-over that is still on its way goes to who took the state.
Profiles that absorb one another at once would wait for ever: of two, the one with the smaller id stays. In a longer
ring each is on its way to the next; there a hand-over goes on past all whose ids are greater than its origin's, so that
one alone, the smallest id's, comes back to where it started: that one stays (Chang and Roberts, 1979).
"""

from __future__ import annotations

from engine import codec, facts, limits, setting_back
from engine.consent import recording
from engine.decide import draws, offers
from engine.effects import Enqueue, LeaveTombstone, SetTimer, TakeIn, Transfer
from engine.events import history
from engine.events.recent import history_order
from engine.frequency import caps, fatigue
from engine.identity import address_statements, holding
from engine.inputs import Claim, Declined, Erase, GoOn, HandedOver, HandOver, Merge, Released
from engine.journeys import interpreter, pauses, refusals, stops
from engine.journeys import life as run_life
from engine.profile import Merged, Profile, Run, Tombstone
from engine.sends import life as send_life
from engine.sends import sends
from engine.turn_state import Turn


def transfer(turn: Turn, asked: Merge | Claim) -> None:
    """Hand everything over to the profile that asks. What a write key says takes a visitor without a user id alone."""
    profile = turn.profile
    if asked.public and not profile.is_blank and asked.to != profile.id:
        if isinstance(asked, Claim):
            holding.add(turn, profile.holders, asked, holding.words_of(profile))
            turn.tell(asked.to, Declined(origin=profile.id, reason="write_key.known_customer"))
            return
        if any(link.namespace == "user_id" for link in profile.identifiers):
            turn.tell(asked.to, Declined(origin=profile.id, reason="write_key.known_user"))
            return
    if asked.to == profile.id or (asked.to in profile.absorbing and profile.id < asked.to):
        return
    if profile.is_blank:
        is_new = isinstance(asked, Merge) and asked.is_new
        turn.tell(asked.to, HandOver(origin=profile.id, drawn=profile.drawn, is_new=is_new))
        turn.effects.append(LeaveTombstone(asked.to))
        return
    for run in profile.runs:
        turn.drop_timer_of_moved(run)
    profile.moving_to = asked.to
    profile.message_seq += 1
    turn.effects.append(Transfer(asked.to, profile.message_seq))


def point_elsewhere(turn: Turn, tombstone: Tombstone, asked: Merge | Claim) -> None:
    """A later absorb of a place that already points somewhere: move the pointer, but not by a write key's word. A claim
    never takes it from its owner; whoever claims an address is told what was said by it."""
    profile = turn.profile
    if isinstance(asked, Claim):
        if asked.to != tombstone.to:
            holding.add(turn, tombstone.holders, asked, tombstone.words)
    elif asked.public and asked.to != tombstone.to:
        turn.tell(asked.to, Declined(origin=profile.id, reason="write_key.taken"))
    else:
        turn.tell(asked.to, HandOver(origin=profile.id, points=asked.to != tombstone.to))


def repoint(turn: Turn, tombstone: Tombstone, told: HandedOver) -> None:
    """Point to who took the pointer in, and lives. Who asked for it may have been absorbed meanwhile: were it pointed
    to at once, pointers could come to stand in a circle, and what is on its way would go round for ever."""
    if told.to != tombstone.to:
        turn.tell(tombstone.to, Released(origin=turn.profile.id))
        turn.effects.append(LeaveTombstone(told.to))


def bury(turn: Turn, told: HandedOver) -> None:
    """The survivor has everything: only a tombstone is left here.

    Who asked may have been absorbed itself meanwhile; then the profile that it lives on in says so.
    """
    if turn.profile.moving_to:
        turn.effects.append(LeaveTombstone(told.to))


def release(turn: Turn, told: Released) -> None:
    """An identifier that pointed here points to somebody else now."""
    held = turn.profile.held
    if told.origin in held:
        held.remove(told.origin)


def must_wait(profile: Profile, told: object) -> bool:
    """Whether an input cannot be taken while this profile is on its way to another one."""
    if not profile.moving_to or isinstance(told, HandedOver | GoOn):
        return False
    if isinstance(told, Erase):
        return profile.moving_to not in told.places
    return not goes_on(profile, told)


def goes_on(profile: Profile, told: object) -> bool:
    """Whether a profile that is itself on its way must pass this on, because it may have to come full circle."""
    return isinstance(told, HandOver) and bool(told.state or told.after) and told.origin <= profile.id


def go_on(turn: Turn, told: GoOn) -> None:
    """What was sent so far has arrived: the next piece follows."""
    profile = turn.profile
    if profile.moving_to:
        profile.message_seq += 1
        turn.effects.append(Transfer(profile.moving_to, profile.message_seq, told.after))


def pass_on(turn: Turn, told: HandOver) -> None:
    """A hand-over reaches a profile on its way: it goes the same way; one's own has come full circle, so one stays."""
    profile = turn.profile
    if told.origin != profile.id:
        turn.tell(profile.moving_to, told)
        return
    profile.moving_to = ""
    _wake(turn, profile)
    pauses.settle(turn)


def take_in(turn: Turn, told: HandOver) -> None:
    """Merge what another profile was into this one; of a piece, what stands beside its state and some traits."""
    profile = turn.profile
    if told.after:
        _take_records(turn, told)
        if told.state:
            facts.join_traits(turn, _surrendered(turn, told))
        turn.tell(told.origin, GoOn(after=told.after))
        return
    if told.origin in profile.absorbing:
        profile.absorbing.remove(told.origin)
    if told.origin not in profile.held:
        profile.held.append(told.origin)
    if told.origin in profile.told and told.origin not in profile.owns:
        profile.owns.append(told.origin)
    if not told.state:
        _arrived(profile, told.origin)
        if told.seen:
            turn.effects.append(TakeIn((), (), told.seen))
        draws.join_stranger(turn, told.origin, told.drawn, is_new=told.is_new)
        if told.points:
            turn.tell(told.origin, HandedOver(to=profile.id))
        return
    other = _surrendered(turn, told)
    _arrived(profile, told.origin)
    if setting_back.is_ahead(other, turn.now_ms):
        setting_back.bring_back(Turn(other, turn.catalog, turn.now_ms))
    draws.join(turn, other)
    _join_facts(turn, other)
    fatigue.merge(profile, turn.catalog.fatigue, other.fatigue, turn.now_ms)
    profile.history = sorted([*profile.history, *other.history], key=history_order)
    _take_records(turn, told)
    offers.join(turn, other.promises)
    runs = _join_runs(turn, other)
    _note_merge(turn, told.origin, other)
    pauses.settle(turn)
    stops.apply_history(turn)
    sends.withdraw_without_consent(turn)
    _withdraw_excess(turn)
    turn.tell(told.origin, HandedOver(to=profile.id))
    moving = [run for run in runs if run.state == "active" and not run.due_ms]
    interpreter.walk(turn, [*moving, *interpreter.react_to_history(turn)])


def _surrendered(turn: Turn, told: HandOver) -> Profile:
    """What another profile was; of a visitor whom only a write key's word brings to somebody who was known before,
    without what such a word cannot give: no address counts as verified, and a yes awaits confirmation."""
    other = codec.decode_record(told.state, "hand-over")
    assert isinstance(other, Profile), "only a profile is handed over"
    if told.origin in turn.profile.publicly:
        address_statements.distrust(other, turn.now_ms)
        recording.distrust(other)
    return other


def _arrived(profile: Profile, origin: str) -> None:
    if origin in profile.publicly:
        profile.publicly.remove(origin)


def _take_records(turn: Turn, told: HandOver) -> None:
    """What stands beside the state is stored here, and counted. A past that comes back to its owner, with somebody who
    had taken in pieces of it, is here already."""
    profile = turn.profile
    own = bytes.fromhex(profile.id[4:12])  # what its own records begin with
    pages, audit = ([row for row in rows if row[0][:4] != own] for rows in (told.history, told.audit))
    turn.effects.append(TakeIn(tuple(pages), tuple(audit), told.seen))
    older = [event for _, page in pages for event in codec.decode_page(page)]
    if older and not profile.spilled:
        profile.tallied = history.tallies_of(turn.catalog).name
    history.add(profile, turn.catalog, older)


def _join_facts(turn: Turn, other: Profile) -> None:
    profile = turn.profile
    words, theirs = address_statements.words(profile), address_statements.words(other)
    facts.join(turn, other)
    _join_identifiers(turn, other)
    address_statements.merge(turn, words, theirs)
    recording.merge(profile, other)
    holding.join(profile, other)
    refusals.join(profile, other)
    profile.places = sorted([*profile.places, *other.places], key=lambda place: (place.at_ms, place.ref))
    profile.held.extend(place for place in other.held if place not in profile.held and place != profile.id)
    profile.ledger.extend(other.ledger)
    profile.seq = max(profile.seq, other.seq)
    profile.created_ms = min(profile.created_ms, other.created_ms)


def _join_identifiers(turn: Turn, other: Profile) -> None:
    profile = turn.profile
    refused: list[str] = []
    known = {(link.namespace, link.value): link for link in profile.identifiers}
    for link in other.identifiers:
        mine = known.get((link.namespace, link.value))
        if mine is None and len(profile.identifiers) >= limits.IDENTIFIERS_MAX:
            refused.append(f"{link.namespace}:{link.value}")
        elif mine is None:
            profile.identifiers.append(link)
        else:
            mine.first_seen_ms = min(mine.first_seen_ms, link.first_seen_ms)
            mine.last_seen_ms = max(mine.last_seen_ms, link.last_seen_ms)
            mine.verified = mine.verified or link.verified
    limits.refuse(turn, "limit.identifiers", refused, "identifiers", "merge")


def _join_runs(turn: Turn, other: Profile) -> list[Run]:
    """The runs and open sends come along with their timers; a second run of one key gives way to the first."""
    profile = turn.profile
    run_life.move(profile, other.runs)
    send_life.move(profile, other.sends)
    _wake(turn, other)
    for run in [run for run in profile.runs if run.state == "active"]:
        _keep_within_concurrency(turn, run)
    return other.runs


def _wake(turn: Turn, arrived: Profile) -> None:
    """The timers and outbox entries of a profile stand where it has arrived."""
    for run in arrived.runs:
        if run.state == "active" and run.due_ms:
            step = interpreter.step_id(turn, run)
            turn.effects.append(SetTimer(run.due_ms, run.id, run.generation, run.journey, step, "moved"))
    for send in arrived.sends:
        turn.effects.append(Enqueue(send.id, send.waits_ms, send.dispatcher))


def _keep_within_concurrency(turn: Turn, run: Run) -> None:
    journey = interpreter.program(turn, run)
    if journey is None:
        return
    same = [
        known
        for known in turn.profile.runs
        if known.state == "active" and known.journey == run.journey and known.key == run.key
    ]
    same.sort(key=lambda known: (known.entered_ms, known.id))
    for surplus in same[journey.concurrent :]:
        stops.end_run(turn, surplus, "merge.duplicate")


def _withdraw_excess(turn: Turn) -> None:
    for place, cap in caps.excess(turn):
        send = sends.find(turn, place.ref)
        if send is not None and send.state == "decided":
            sends.withdraw(turn, send, f"cap.{cap.id}")
        elif send is None:
            caps.release(turn.profile, place.ref)


def _note_merge(turn: Turn, origin: str, other: Profile) -> None:
    events = len(other.history) + other.spilled
    names = [(link.namespace, link.value) for link in other.identifiers]
    turn.profile.ledger.append(Merged(origin, turn.now_ms, names, events, len(other.runs)))
    turn.note(
        "merge",
        f"took over {', '.join(f'{namespace}:{value}' for namespace, value in names) or origin}",
        outcome="absorbed",
        detail={
            "origin": origin,
            "events": events,
            "runs": len(other.runs),
            "audit": [other.audit_seq, other.audit_head],
        },
    )
