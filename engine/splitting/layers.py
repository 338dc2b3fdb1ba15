"""Takes one merge out of several: later ones are undone first and made again after it, as if it had never been made.

A profile that was merged may have taken in others itself. Such an inner merge is taken out of the profile that had made
it, and that one is joined again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from engine.catalog.compiled import Catalog
from engine.effects import Effect, KeepMerge, Spend
from engine.identity import apart
from engine.inputs import HandOver
from engine.likeness.links import state_of
from engine.merging import take_in
from engine.merging.arrivals import pointing_to
from engine.parts.of_identity import Merged
from engine.profile import Profile
from engine.recent_events import Happened
from engine.splitting import fields
from engine.splitting.around import Around, copied, profile_of
from engine.splitting.case import Case
from engine.splitting.sides import Side, Sides, lasting
from engine.turn_state import Turn


@dataclass(slots=True)
class Parted:
    """Two profiles instead of one. `merged` is the merge that is undone, `points` are the places that are pointers to
    the other alone, and may have led to the survivor all along or since. `recent` is how many recent events each had
    before. `again` are the effects of the merges that were made again."""

    mine: Profile
    theirs: Profile
    merged: Merged
    points: list[str]
    loose: dict[str, list[str]]
    recent: tuple[int, int]
    again: list[Effect] = field(default_factory=list)

    @property
    def given(self) -> list[str]:
        """The pointers that the other gets. Those that a later merge has brought to the survivor stay, and an address
        for which it counts."""
        merged = (past.origin for past in self.mine.ledger if not past.undone_ms)
        here = {*map(lasting, (*merged, *self.mine.owns, *pointing_to(self.mine)))}
        return [place for place in self.points if lasting(place) not in here]


@dataclass(frozen=True, slots=True)
class Layers:
    """`records` of the merge and of all later ones. `pages` are events that have left the recent ones since, by the
    profile that wrote them; they are recent again in what comes out. `withdrawn` are sends that do not leave because of
    the split itself."""

    catalog: Catalog
    now_ms: int
    records: Mapping[str, Around]
    pages: Mapping[str, list[Happened]]
    withdrawn: frozenset[str] = frozenset()

    def take_out(self, profile: Profile, merge_id: str) -> Parted:
        """Undo a merge that this profile, or one that it took in, has made."""
        past = next(past for past in self.of(profile) if past.id == merge_id or merge_id in self._inner(past))
        profile = copied(profile)
        profile.history = [*profile.history, *self.pages.get(profile.id, ())]
        later: list[tuple[Merged, Profile]] = []
        for newer in reversed(self.of(profile)[self.of(profile).index(past) + 1 :]):
            case = self.undo(profile, newer)
            profile = case.mine
            later.insert(0, (newer, case.theirs))
        case = self.undo(profile, past)
        before, other = case.before, case.other
        if past.id == merge_id:
            pointing, side_of = pointing_to(case.theirs), case.sides.points_to
            points = [place for place in case.theirs.held if place in pointing and side_of(place) is Side.THEIRS]
            recent = len(before.history), len(other.history)
            out = Parted(case.mine, case.theirs, past, points, case.loose, recent)
            out.mine.ledger.append(msgspec.structs.replace(past, identifiers=[], undone_ms=self.now_ms))
            apart.part(out.mine, out.theirs, out.given)
        else:
            out = self.take_out(case.theirs, merge_id)
            later.insert(0, (past, out.mine))
            out.mine, out.recent = case.mine, (len(before.history), out.recent[1])
        for newer, other in later:
            out.again += self._join(out.mine, other, newer)
        return out

    def of(self, profile: Profile) -> list[Merged]:
        """The merges that this profile itself has made, of those whose records are at hand, in their order."""
        known = [past for past in profile.ledger if past.id in self.records]
        inner = {each for past in known for each in self._inner(past)}
        return [past for past in known if past.id not in inner]

    def _inner(self, past: Merged) -> set[str]:
        """The merges that a profile had made before it was taken in."""
        return {each.id for each in profile_of(self.records[past.id].other).ledger if each.id}

    def undo(self, profile: Profile, past: Merged) -> Case:
        """Undo the last merge of this profile."""
        around = self.records[past.id]
        before, other = profile_of(around.before), profile_of(around.other)
        case = Case(
            catalog=self.catalog,
            merge_id=past.id,
            now=profile,
            after=profile_of(around.after),
            before=before,
            other=other,
            mine=copied(before),
            theirs=copied(other),
            sides=Sides(self.catalog, past, before, other, profile),
            withdrawn=self.withdrawn,
        )
        fields.part(case)
        case.theirs = copied(case.theirs)  # what both have got is each one's own from here on
        return case

    def _join(self, profile: Profile, other: Profile, past: Merged) -> list[Effect]:
        """Make a merge again; what it does to timers and to the outbox is found from the states at the end."""
        before, state = state_of(profile), state_of(other)
        said = profile.audit_seq, profile.audit_head, profile.message_seq
        turn = Turn(profile, self.catalog, self.now_ms)
        take_in.take_in(turn, HandOver(origin=past.origin, state=state))
        profile.ledger[-1] = past
        # The timeline has told of this merge when it was made, and the other place is a tombstone already.
        profile.audit_seq, profile.audit_head, profile.message_seq = said
        kept: list[Effect] = [KeepMerge(past.id, before, state, state_of(profile))]
        return kept + [effect for effect in turn.effects if isinstance(effect, Spend)]
