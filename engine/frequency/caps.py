"""Frequency caps: a place is reserved, then committed at hand-over or when seen, or released (Invariant 4).

There is one list of places per profile; a cap is a view of it, so after a merge, or under a new catalog, the counts
are right at once. A decision counts places by the time at which they were taken. An authorisation counts again, by the
time at which messages left, because a message that is delayed would free its place too early
(`docs/decisions/0005-caps-counted-twice.md`). A window counts places with time > now − window; that of a calendar cap
is the day, week or month of the customer's own zone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from engine import limits
from engine.catalog import zones
from engine.catalog.compiled import Action, Budget, Cap, Catalog, Holdout, Lever
from engine.catalog.once_per_catalog import once_per_catalog
from engine.catalog.quiet.compiled import QuietRule
from engine.profile import Lent, Place, Profile
from engine.turn_state import Turn
from engine.vocabulary import MINUTE_MS

KEEP_MS = 400 * 86_400_000  # longer than any window that a catalog may state, which is 366 days


def place_for(action: Action, channel: str, ref: str, at_ms: int, *, placement: str = "", expires_ms: int = 0) -> Place:
    """A place that is not taken yet."""
    return Place(
        ref=ref,
        action=action.id,
        channel=channel,
        tier=action.tier,
        purpose=action.purpose,
        category=action.category or "",
        group=str(action.facts.get("group") or ""),
        placement=placement,
        at_ms=at_ms,
        expires_ms=expires_ms,
    )


def covers(rule: Cap | Budget | Lever | Holdout | QuietRule, place: Place | Lent) -> bool:
    """Whether a place is of the kind that a rule matches: whether it counts under a cap."""
    return all(getattr(place, field) in wanted for field, wanted in rule.match.items())


def over(catalog: Catalog, place: Place) -> tuple[Cap, ...]:
    """The caps that count such a place, in the catalog's order; worked out once per catalog and kind of place."""
    known, kind = _caps_by_kind(catalog), catalog.cap_kind(place)
    found = known.get(kind)
    if found is None:
        found = known[kind] = tuple(cap for cap in catalog.caps if covers(cap, place))
    return found


@once_per_catalog
def _caps_by_kind(catalog: Catalog) -> dict[Any, tuple[Cap, ...]]:
    return {}


def is_live(place: Place, now_ms: int) -> bool:
    """Committed, or reserved and not expired. Expiry is computed, never written."""
    return bool(place.left_ms) or not place.expires_ms or place.expires_ms > now_ms


def is_capped(catalog: Catalog, place: Place) -> bool:
    """Whether any cap counts such a place."""
    return bool(over(catalog, place))


def opens_ms(profile: Profile, catalog: Catalog, cap: Cap, now_ms: int) -> int:
    """Where the cap's window begins: places with a later time count."""
    if not cap.calendar:
        return now_ms - cap.per_ms
    # One less, because the first millisecond of the period counts too.
    return zones.start_of_period_ms(now_ms // MINUTE_MS, _zone(profile, catalog), cap.calendar) - 1


def _zone(profile: Profile, catalog: Catalog) -> str:
    return profile.timezone if profile.timezone in zones.names() else catalog.zone


def counted(profile: Profile, catalog: Catalog, cap: Cap, now_ms: int) -> list[Place]:
    """The live places in the cap's window, in the order in which they were taken."""
    since = opens_ms(profile, catalog, cap, now_ms)
    return [place for place in profile.places if place.at_ms > since and is_live(place, now_ms) and covers(cap, place)]


def counts_from_ms(place: Place) -> int:
    """From when on a place counts against a display."""
    return place.at_ms if place.placement else max(place.at_ms, place.left_ms)


class Count:
    """The live places under each cap at one instant, counted in one pass, because a decision asks about many caps.

    `at_address` has what counts at the address of a send, where that is more (`engine.frequency.at_addresses`). For a
    display (`shown_now`) a send counts from when it left. A retry or a pause may lie between a send's decision
    and its hand-over, and a display, which leaves at once, is not counted a second time.
    """

    __slots__ = ("_catalog", "_known", "at_address", "refs")

    def __init__(self, profile: Profile, catalog: Catalog, now_ms: int, *, shown_now: bool = False) -> None:
        self._catalog = catalog
        self.at_address: dict[str, set[str]] = {}  # of all who have the address that a send goes to
        self._known = known = _caps_by_kind(catalog)
        self.refs: dict[str, list[str]] = {}
        if not profile.places or not catalog.caps:
            return
        opens = {cap.id: opens_ms(profile, catalog, cap, now_ms) for cap in catalog.caps if cap.calendar}
        kind_of = catalog.cap_kind
        for place in profile.places:
            if place.left_ms or not place.expires_ms or place.expires_ms > now_ms:  # `is_live`, without a call
                at_ms = counts_from_ms(place) if shown_now else place.at_ms
                age = now_ms - at_ms
                for cap in known.get(kind_of(place)) or over(catalog, place):
                    if at_ms > opens[cap.id] if cap.calendar else age < cap.per_ms:
                        self.refs.setdefault(cap.id, []).append(place.ref)

    def is_full(self, cap: Cap, but_for: str = "") -> bool:
        """Whether a cap has no room. The place `but_for` is not counted: its own holder asks."""
        refs = self.refs.get(cap.id, ())
        if len(refs) >= cap.limit and len(refs) - refs.count(but_for) >= cap.limit:
            return True
        return bool(self.at_address) and self.is_full_at_address(cap, but_for)

    def is_full_at_address(self, cap: Cap, but_for: str = "") -> bool:
        """Whether a cap has no room at the address."""
        return len(self.at_address.get(cap.id, frozenset()) - {but_for}) >= cap.limit

    def add(self, place: Place) -> None:
        """Count a place that was just taken."""
        for cap in self._known.get(self._catalog.cap_kind(place)) or over(self._catalog, place):
            self.refs.setdefault(cap.id, []).append(place.ref)


def reserve(profile: Profile, place: Place) -> None:
    """Take the place; it counts as reserved until it is committed or released."""
    profile.places.append(place)


def find(profile: Profile, ref: str) -> Place | None:
    """The place that a send or a shown action holds."""
    for place in profile.places:
        if place.ref == ref:
            return place
    return None


def release(profile: Profile, ref: str) -> None:
    """Give a place back."""
    profile.places[:] = [place for place in profile.places if place.ref != ref]


def over_limit(profile: Profile, catalog: Catalog, wanted: Place, now_ms: int) -> Iterator[Cap]:
    """The caps that one more hand-over now would exceed, counted by the messages that have left or are leaving."""
    for cap in over(catalog, wanted):
        since = opens_ms(profile, catalog, cap, now_ms)
        left = sum(place.left_ms > since and place.ref != wanted.ref and covers(cap, place) for place in profile.places)
        if left >= cap.limit:
            yield cap


def late_only_until_ms(profile: Profile, catalog: Catalog, cap: Cap, wanted: Place, now_ms: int) -> int:
    """When a cap over its limit lets a decided message leave, where it is full only because messages left some time
    after their decision; 0 where it is full by their decisions too. The wait is no longer than one of them took to
    leave. A period of the calendar would end much later: there the message is one too many."""
    if cap.calendar:
        return 0
    others = [place for place in profile.places if place.ref != wanted.ref and covers(cap, place)]
    since = opens_ms(profile, catalog, cap, now_ms)
    if sum(place.at_ms > since and is_live(place, now_ms) for place in others) >= cap.limit:
        return 0
    ends = sorted(place.left_ms + cap.per_ms for place in others if place.left_ms > since)
    return ends[len(ends) - cap.limit] if len(ends) >= cap.limit else 0


def frees_at(profile: Profile, catalog: Catalog, cap: Cap, now_ms: int) -> int:
    """When the cap has room again, if nothing else takes it: places leave the window, reservations expire."""
    ends = []
    for place in counted(profile, catalog, cap, now_ms):
        leaves = leaves_ms(profile, catalog, cap, counts_from_ms(place))
        ends.append(leaves if place.left_ms or not place.expires_ms else min(leaves, place.expires_ms))
    # Room is there when all but `limit - 1` of the places have gone.
    return sorted(ends)[max(0, len(ends) - cap.limit)] if ends else now_ms


def leaves_ms(profile: Profile, catalog: Catalog, cap: Cap, at_ms: int) -> int:
    """When a place that was taken at `at_ms` leaves the cap's window."""
    if not cap.calendar:
        return at_ms + cap.per_ms
    return zones.end_of_period_ms(at_ms // MINUTE_MS, _zone(profile, catalog), cap.calendar)


def excess(turn: Turn) -> list[tuple[Place, Cap]]:
    """The newest reservations above a limit after a merge, which must be withdrawn. Committed places stay."""
    found: dict[str, tuple[Place, Cap]] = {}
    for cap in turn.catalog.caps:
        places = [place for place in counted(turn.profile, turn.catalog, cap, turn.now_ms) if place.ref not in found]
        too_many = len(places) - cap.limit
        reserved = [place for place in places if not place.left_ms]
        reserved.sort(key=lambda place: (-place.at_ms, place.ref))
        for place in reserved[: max(0, too_many)]:
            found[place.ref] = (place, cap)
    return list(found.values())


def forget_old(turn: Turn) -> None:
    """Drop places that no window can count any more; where there are very many, also those that no cap of the active
    catalog counts."""
    profile, now_ms = turn.profile, turn.now_ms
    if profile.places and profile.places[0].at_ms <= now_ms - KEEP_MS:
        profile.places[:] = [place for place in profile.places if place.at_ms > now_ms - KEEP_MS]
    surplus = len(profile.places) - limits.PLACES_MAX
    if surplus > 0:
        opens = {cap.id: opens_ms(profile, turn.catalog, cap, now_ms) for cap in turn.catalog.caps}
        open_sends = {send.id for send in profile.sends}
        idle = [
            place.ref
            for place in profile.places
            if place.left_ms
            and place.ref not in open_sends
            and all(max(place.at_ms, place.left_ms) <= opens[cap.id] for cap in over(turn.catalog, place))
        ]
        forgotten = set(idle[:surplus])
        profile.places[:] = [place for place in profile.places if place.ref not in forgotten]
