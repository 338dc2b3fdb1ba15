"""The survivor of a merge takes in the other profile (`engine.merging.transfer` has the whole way).

Arriving runs and sends meet the survivor's stops, opt-outs and caps before anything is sent on account of them.
"""

from __future__ import annotations

import msgspec

from engine import codec, limits
from engine.consent import recording
from engine.contact import addresses
from engine.decide import draws, offers
from engine.effects import Enqueue, KeepMerge, SetTimer, TakeIn
from engine.events import common_past, history, setting_back
from engine.frequency import at_addresses, caps, fatigue
from engine.handoffs import changes
from engine.identity import address_statements, holding, link_limits, standing, traits
from engine.inputs import GoOn, HandedOver, HandOver
from engine.journeys import interpreter, pauses, refusals, stops
from engine.journeys import life as run_life
from engine.journeys.steps import parking
from engine.journeys.things import interests
from engine.journeys.watching import look
from engine.likeness import links
from engine.merging import arrivals
from engine.parts.of_identity import Link, Merged, Said
from engine.profile import Profile, Run
from engine.sends import life as send_life
from engine.sends import outcomes, sends
from engine.turn_state import Turn


def take_in(turn: Turn, told: HandOver) -> None:
    """Merge another profile into this one. A piece that is not the last brings only records and some traits."""
    profile = turn.profile
    if told.after:
        _take_records(turn, told)
        if told.state:
            traits.merge_traits(turn, _as_trusted(turn, told, _transferred(told)))
        turn.tell(told.origin, GoOn(after=told.after))
        return
    at_addresses.take_over(profile, told.lent)
    if not told.state:
        arrivals.is_here(turn, told.origin, is_owner=told.to in ("", profile.id) and not told.points)
        if told.seen:
            turn.effects.append(TakeIn((), (), told.seen))
        draws.join_stranger(turn, told.origin, told.drawn, is_new=told.is_new)
        sends.go_on_answered(turn)
        return
    other = _transferred(told)
    if told.whole and arrivals.sends_back(turn, told.origin, other):
        return
    before, theirs = links.state_of(profile), links.state_of(other) if other.likely or other.candidates else told.state
    changes.join(turn, other, told.origin)
    other = _as_trusted(turn, told, other)
    arrivals.is_here(turn, told.origin, other)
    if setting_back.is_ahead(other, turn.now_ms):
        setting_back.bring_back(Turn(other, turn.catalog, turn.now_ms))
    draws.join(turn, other)
    _merge_facts(turn, other)
    fatigue.merge(profile, turn.catalog.fatigue, other.fatigue, turn.now_ms)
    profile.history = common_past.joined(profile.history, other.history)
    _take_records(turn, told)
    offers.join(turn, other.promises)
    runs = _merge_runs(turn, other)
    _note_merge(turn, told.origin, other, can_be_undone=not told.in_part)
    if not told.in_part:
        turn.effects.append(KeepMerge(profile.ledger[-1].id, before, theirs))
    arrivals.look_for_contradictions(turn)
    # All that can end a run or a send comes before the first run walks.
    pauses.settle(turn)
    stops.apply_history(turn)
    sends.withdraw_without_consent(turn)
    _withdraw_excess(turn)
    sends.go_on_answered(turn)
    turn.tell(told.origin, HandedOver(to=profile.id))
    moving = [run for run in runs if run.state == "active" and not run.due_ms]
    interpreter.walk(turn, [*moving, *interpreter.react_to_history(turn)])


def _transferred(told: HandOver) -> Profile:
    other = codec.decode_record(told.state, "hand-over")
    assert isinstance(other, Profile), "only a profile is handed over"
    return other


def _as_trusted(turn: Turn, told: HandOver, other: Profile) -> Profile:
    """Where only a write key's word brings a visitor to a known person, the visitor comes without what such a word
    cannot give: no address counts as verified, and a yes awaits confirmation."""
    if not {told.origin, *other.held}.isdisjoint(turn.profile.publicly):
        address_statements.distrust(other, turn.now_ms)
        recording.distrust(other)
    return other


def _take_records(turn: Turn, told: HandOver) -> None:
    """Store the records that came beside the state, and count their events. Pieces of this profile's own past may come
    back with a profile that had taken them in; those are here already."""
    profile = turn.profile
    own = bytes.fromhex(profile.id[4:12])  # its own records begin with these bytes of its id
    pages, audit = ([row for row in rows if row[0][:4] != own] for rows in (told.history, told.audit))
    turn.effects.append(TakeIn(tuple(pages), tuple(audit), told.seen, told.reviews, told.merges))
    older = [event for _, page in (*told.pages, *pages) for event in codec.decode_page(page)]
    if told.pages:
        history.recount(profile, turn.catalog, older)
        return
    if older and not profile.spilled:
        profile.tallied = history.counters_of(turn.catalog).name
    history.add(profile, turn.catalog, common_past.distinct(older, profile.history))


def _merge_facts(turn: Turn, other: Profile) -> None:
    profile = turn.profile
    mine, theirs = address_statements.known(profile), address_statements.known(other)
    pointing = {*arrivals.pointing_to(other), *arrivals.pointing_to(profile)}
    reached = _reached(turn, other)
    traits.merge(turn, other)
    _merge_identifiers(turn, other)
    address_statements.merge(turn, mine, theirs)
    link_limits.settle_unique(turn)
    recording.merge(profile, other)
    holding.merge(turn, other)
    arrivals.merge(profile, other)
    links.let_go(turn, other)
    refusals.join(profile, other)
    outcomes.join(profile, other)
    interests.join(profile, other)
    look.join(profile, other, turn.catalog, reached)
    places = {place.ref: place for place in (*other.places, *profile.places)}  # a split had left some on both sides
    profile.places = sorted(places.values(), key=lambda place: (place.at_ms, place.ref))
    profile.held.extend(place for place in other.held if place not in profile.held and place != profile.id)
    profile.ledger.extend(other.ledger)
    # Whom a split had parted is here again, by whatever way: what comes to these places would go round for ever.
    # Nor has it given away what points here, whatever the other one says of a place that it never had.
    came = {place[:-2] for place in (profile.id, other.id, *pointing)}
    here, parted = {*came, *(place[:-2] for place in profile.held)}, {**profile.split_off, **other.split_off}
    profile.split_off = {place: to for place, to in parted.items() if to[:-2] not in here and place[:-2] not in came}
    profile.seq = max(profile.seq, other.seq)
    profile.born_ms = profile.born_ms or profile.created_ms
    profile.created_ms = min(profile.created_ms, other.created_ms)


def _reached(turn: Turn, other: Profile) -> look.Reached:
    """Which of the two messages reached so far: whoever has an address of any channel."""
    named = {channel.address for channel in turn.catalog.channels.values() if channel.address}
    own, others = (any(addresses.current(each, name) for name in named) for each in (turn.profile, other))
    return "both" if own == others else "own" if own else "other"


def _merge_identifiers(turn: Turn, other: Profile) -> None:
    profile = turn.profile
    refused: list[str] = []
    known = {(link.namespace, link.value): link for link in profile.identifiers}
    for link in other.identifiers:
        mine = known.get((link.namespace, link.value))
        if mine is None and len(profile.identifiers) >= limits.IDENTIFIERS_MAX and not _makes_way(turn, link):
            refused.append(f"{link.namespace}:{link.value}")
        elif mine is None:
            profile.identifiers.append(link)
        else:
            mine.first_seen_ms = min(mine.first_seen_ms, link.first_seen_ms)
            mine.last_seen_ms = max(mine.last_seen_ms, link.last_seen_ms)
            if link.verified and not mine.verified:
                mine.verified, mine.verified_by = True, link.verified_by or Said(link.source, turn.now_ms)
            mine.shared = mine.shared or link.shared
    limits.refuse(turn, "limit.identifiers", refused, "identifiers", "merge")


def _makes_way(turn: Turn, link: Link) -> bool:
    return standing.is_trusted(link) and link_limits.make_way(turn)


def _merge_runs(turn: Turn, other: Profile) -> list[Run]:
    """Take in the runs and open sends with their timers. Where a journey has too many runs of one key, those that have
    come furthest stay."""
    profile = turn.profile
    run_life.move(profile, other.runs)
    send_life.move(profile, other.sends)
    wake(turn, other)
    for run in [run for run in profile.runs if run.state == "active"]:
        _keep_within_concurrency(turn, run)
    return other.runs


def wake(turn: Turn, arrived: Profile) -> None:
    """Set the timers and outbox entries of a profile where it has arrived."""
    for run in arrived.runs:
        if run.state == "active" and run.due_ms:
            step = stops.step_id(turn.catalog, run)
            turn.effects.append(SetTimer(run.due_ms, run.id, run.generation, run.journey, step, "moved"))
    for send in arrived.sends:
        turn.effects.append(Enqueue(send.id, send.waits_ms, send.dispatcher))
    if arrived is turn.profile:
        look.again(turn)


def _keep_within_concurrency(turn: Turn, run: Run) -> None:
    journey = parking.program(turn, run)
    if journey is None or run.parent:
        return
    same = [
        known
        for known in turn.profile.runs
        if known.state == "active" and known.journey == run.journey and known.key == run.key and not known.parent
    ]
    same.sort(key=lambda known: (-known.position, known.entered_ms, known.id))
    for surplus in same[journey.concurrent :]:
        stops.end_run(turn, surplus, "merge.duplicate")


def _withdraw_excess(turn: Turn) -> None:
    for place, cap in caps.excess(turn):
        send = sends.find(turn, place.ref)
        if send is not None and send.state == "decided":
            sends.withdraw(turn, send, f"cap.{cap.id}")
        elif send is None:  # the place of a display
            caps.release(turn.profile, place.ref)


def _note_merge(turn: Turn, origin: str, other: Profile, *, can_be_undone: bool) -> None:
    events = len(other.history) + other.spilled
    names = [(link.namespace, link.value) for link in other.identifiers]
    entry = _entry(turn, origin, other, names, events)
    turn.profile.ledger.append(entry if can_be_undone else msgspec.structs.replace(entry, id=""))
    turn.note(
        "merge",
        # No values: the entry stays when a split gives the other its own, and when that one is erased.
        f"took over {'a profile known by ' + ', '.join(sorted({name for name, _ in names})) if names else origin}",
        outcome="absorbed",
        detail={
            "origin": origin,
            "events": events,
            "runs": len(other.runs),
            "audit": [other.audit_seq, other.audit_head],
        },
    )


def _entry(turn: Turn, origin: str, other: Profile, names: list[tuple[str, str]], events: int) -> Merged:
    profile, evidence = turn.profile, other.moving_by
    entry = Merged(origin, turn.now_ms, names, events, len(other.runs))
    entry.id = turn.id_of("merge", profile.id, origin, profile.audit_seq)
    if evidence is not None:
        entry.by, entry.namespace = evidence.place, evidence.namespace
        entry.source, entry.public, entry.confidence = evidence.source, evidence.public, evidence.confidence
        entry.beside = [place for _, place in evidence.beside]
    return entry
