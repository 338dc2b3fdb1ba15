"""One person turns out to be two: a merge is undone, and the other profile goes back to its own place.

    survivor ──Revive──► place of the other   its past in pieces, the state last: it lives there again
    survivor ◄─Revived── other                until then, whatever is for the other waits

`engine.splitting.fields` says what each of them gets. The ledger's record of the merge goes in the same turn: undoing a
split is a merge anew. `Profile.split_off` keeps the places of the other profile, so that what still comes here on its
account goes to it, and so that the same identifiers do not join the two again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from engine import codec, limits
from engine.effects import Enqueue, ForgetMerge, GiveBack, Repage, SetTimer
from engine.errors import InvalidInput, NotFound, NotReady
from engine.frequency import budgets, caps
from engine.identity import apart, asking, holding, standing
from engine.inputs import PointTo, Rejoin, Revived, Split
from engine.journeys import life, stops
from engine.journeys.watching import look
from engine.merging.arrivals import pointing_to
from engine.parts.of_identity import Evidence, Merged
from engine.profile import Profile
from engine.recent_events import Happened
from engine.sends import life as send_life
from engine.sends import sends
from engine.splitting import paging
from engine.splitting.around import Around, can_be_undone, profile_of
from engine.splitting.case import root_in
from engine.splitting.layers import Layers, Parted
from engine.splitting.rules import of_runs
from engine.turn_state import Turn

MESSAGES_MAX: Final = 4_096  # of one split; so many numbers are kept for them
_LISTED_MAX: Final = 100  # of each kind that no identifier came with


def find(profile: Profile, merge_id: str) -> Merged:
    """The merge to undo. Raises NotFound for one that this profile never made, InvalidInput for one that is undone."""
    past = next((past for past in profile.ledger if merge_id and past.id == merge_id), None)
    if past is None:
        raise NotFound("this profile has made no such merge, or none that can be undone", "mergeId")
    if past.undone_ms:
        raise InvalidInput("this merge is undone already", "mergeId")
    return past


def is_over(profile: Profile, told: Split) -> bool:
    """Whether a profile that has told itself to undo a merge has nothing to undo any more: somebody was faster, or the
    person was erased."""
    return told.reason != "asked" and not any(
        past.id == told.merge_id and not past.undone_ms for past in profile.ledger
    )


def check_rest(profile: Profile) -> None:
    """Raises NotReady while something is on its way that belongs to one of the two."""
    if profile.absorbing or profile.parting:
        raise NotReady("this person is being linked to another profile or split from one, try again")
    if any(send.state == "handing_over" for send in profile.sends):
        raise NotReady("a message to this person is being handed over, try again")


def split(turn: Turn, told: Split) -> None:
    """Undo a merge. The answer lists what came in between without an identifier, and went by policy."""
    profile = turn.profile
    if is_over(profile, told):
        return
    past = find(profile, told.merge_id)
    assert not profile.parting, "one split at a time"
    records = {name: Around.read(record) for name, record in told.records}
    assert past.id in records, "the shard adds what the ledger holds"
    withdrawn = _undo_what_it_began(turn, records[past.id])
    waiting = tuple((send.id, send.waits_ms) for send in profile.sends)
    was_open = {send.id for send in profile.sends}
    for run in profile.runs:
        turn.drop_timer_of_moved(run)
    look.leave(turn)
    layers = Layers(turn.catalog, turn.now_ms, records, _pages(told, records), withdrawn)
    out = layers.take_out(profile, past.id)
    _revive_sends(turn, out, was_open)
    turn.effects += out.again
    turn.effects.append(ForgetMerge(past.id))
    _page_anew(turn, told, out)
    _become(profile, out)
    _note(turn, out, told.reason)
    _give_back(turn, out, waiting)
    for run in profile.runs:
        if run.state == "active" and run.due_ms:
            step = stops.step_id(turn.catalog, run)
            turn.effects.append(SetTimer(run.due_ms, run.id, run.generation, run.journey, step, "moved"))
    for send in profile.sends:
        turn.effects.append(Enqueue(send.id, send.waits_ms))
    look.again(turn)
    turn.answer(
        {
            "profileId": profile.id,
            "other": out.theirs.id,
            "mergeId": past.id,
            "unidentified": {kind: names[:_LISTED_MAX] for kind, names in sorted(out.loose.items())},
        }
    )


def has_arrived(turn: Turn, told: Revived) -> None:
    """The other profile lives at its own place again: what waited for it goes there."""
    if told.origin in turn.profile.parting:
        turn.profile.parting.remove(told.origin)


def rejoin(turn: Turn, told: Rejoin) -> None:
    """Undo a split: ask the other profile to hand over once more. Raises NotFound where there was no such split, or
    where the other one is known to be erased."""
    profile = turn.profile
    past = next((past for past in profile.ledger if past.id == told.merge_id and past.undone_ms), None)
    if past is None:
        raise NotFound("this profile was not split by this id, or the other one was erased since", "splitId")
    check_rest(profile)
    if past.origin in pointing_to(profile):
        raise InvalidInput("the two are one already", "splitId")
    profile.split_off = {place: owner for place, owner in profile.split_off.items() if owner != past.origin}
    profile.apart = [place for place in profile.apart if not standing.is_same_place(place, past.origin)]
    profile.unlike = [other for other in profile.unlike if other != past.origin]
    evidence = Evidence(standing.DECISION, past.origin)
    asking.ask(turn, past.origin, evidence, in_spite_of=(*asking.LIMITS, "identity.unique"))
    turn.note("split", "undone: the two become one again", outcome="rejoined", detail={"origin": past.origin})
    turn.answer({"profileId": profile.id, "other": past.origin, "mergeId": past.id})


def _undo_what_it_began(turn: Turn, around: Around) -> frozenset[str]:
    """End the runs that the merge itself began and that have gone on since: neither of the two has begun them. Withdraw
    the sends that it made and that still wait, where the runs that made them go back to where they were. Returns those
    sends."""
    before, other, after = (profile_of(state) for state in (around.before, around.other, around.after))
    profile, root = turn.profile, root_in(turn.profile, after)
    gone_on = of_runs.went_on(profile, after)
    ending = of_runs.begun_by(before, other, after, turn.catalog) & gone_on
    for run in [run for run in profile.runs if run.id in ending and run.state == "active"]:
        stops.end_run(turn, run, "split")
    made = {send.id for send in after.sends} - {send.id for each in (before, other) for send in each.sends}
    waiting = [send for send in profile.sends if send.id in made and send.state == "decided"]
    gone = [send for send in waiting if root(send.run) not in gone_on]
    for send in gone:
        sends.withdraw(turn, send, "split")
    was = {run.id: run for run in after.runs if root(run.id) not in gone_on}
    life.part(profile, [was.get(run.id, run) for run in profile.runs])  # the withdrawal is no step of theirs
    return frozenset(send.id for send in gone)


def _pages(told: Split, records: Mapping[str, Around]) -> dict[str, list[Happened]]:
    """The events of the pages, by the survivor that wrote them."""
    by_origin: dict[bytes, list[Happened]] = {}
    for key, packed in told.pages:
        by_origin.setdefault(key[:4], []).extend(codec.decode_page(packed))
    hosts = {profile_of(around.before).id for around in records.values()}
    return {host: by_origin.get(paging.origin_of(host), []) for host in hosts}


def _revive_sends(turn: Turn, out: Parted, was_open: set[str]) -> None:
    """Pay again for sends that come back; one for whose place a budget has no token left stays withdrawn."""
    for profile in (out.mine, out.theirs):
        for send in [send for send in profile.sends if send.id not in was_open]:
            place = caps.find(profile, send.id)
            if place is not None and any(budgets.is_empty(turn, each) for each in budgets.over(turn.catalog, place)):
                send_life.advance(profile, send, "withdraw")
                caps.release(profile, send.id)
                out.loose.setdefault("withdrawn", []).append(send.id)
            elif place is not None:
                budgets.spend(turn, place)


def _page_anew(turn: Turn, told: Split, out: Parted) -> None:
    """Put what is not recent into pages again, under whose past it is by now."""
    put: list[tuple[bytes, bytes]] = []
    for profile, recent in zip((out.mine, out.theirs), out.recent, strict=True):
        has_more = bool(told.pages) and len(profile.history) > recent
        pages = paging.page(profile, turn.catalog, turn.now_ms) if has_more else []
        paging.count_later(profile, has_pages=bool(pages))
        put += pages
    taken = {key for key, _ in put}
    drop = tuple(key for key, _ in told.pages if key not in taken)
    if put or drop:
        turn.effects.append(Repage(tuple(put), drop))


def _become(profile: Profile, out: Parted) -> None:
    """The turn's profile is the survivor from here on."""
    apart.part(out.mine, out.theirs, out.given)  # a merge that was made again may have forgotten it
    for name in profile.__struct_fields__:
        setattr(profile, name, getattr(out.mine, name))
    profile.history = out.mine.history
    profile.parting.append(out.theirs.id)
    # Which values are shared is known to both: one of them is sent what came by such a value to the other.
    shared = [*dict.fromkeys((*profile.shared, *out.theirs.shared))][-limits.IDENTIFIERS_MAX :]
    profile.shared, out.theirs.shared = shared, [*shared]


def _note(turn: Turn, out: Parted, reason: str) -> None:
    turn.note(
        "split",
        "a merge was undone",
        outcome="split",
        reason=reason,
        detail={
            "origin": out.theirs.id,
            "merge": out.merged.id,
            "unidentified": {kind: names[:_LISTED_MAX] for kind, names in sorted(out.loose.items())},
        },
    )


def _give_back(turn: Turn, out: Parted, waiting: tuple[tuple[str, int], ...]) -> None:
    """Send the other profile to its own place, and let the places that are its alone point there."""
    profile, theirs = turn.profile, out.theirs
    theirs.parting = []  # whom it was sending home before the merge, and whose word came to the survivor
    if theirs.id in profile.told and profile.id not in theirs.holders:
        theirs.holders.append(profile.id)  # it lives at an address's own place, and the survivor has the address too
    kept = dict.fromkeys([profile.id, *(past.origin for past in profile.ledger if not past.undone_ms)])
    origins = [theirs.id, *(past.origin for past in theirs.ledger if not past.undone_ms)]
    for place in out.given:
        if place != theirs.id:
            turn.tell(place, PointTo(was=profile.id, to=theirs.id, merged=tuple(kept)))
    turn.effects.append(
        GiveBack(
            to=theirs.id,
            seq=profile.message_seq + 1,
            merge_id=out.merged.id,
            state=codec.encode_record(theirs),
            origins=tuple(origin for origin in origins if origin not in kept),
            merges=tuple(past.id for past in theirs.ledger if can_be_undone(past)),
            since_ms=out.merged.at_ms,
            dequeue=waiting,
        )
    )
    profile.message_seq += MESSAGES_MAX
    holding.register_anew(turn)
