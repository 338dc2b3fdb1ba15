"""A customer under a catalog at one instant: answers the questions of conditions from a profile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from engine.catalog.compiled import Catalog
from engine.conditions import purchases
from engine.conditions.event_atoms import EventAtom
from engine.contact import consents
from engine.parts.of_identity import Likely
from engine.profile import Profile

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class View:
    """See `engine.conditions.readable.Readable`. Answers are kept in `memo`, so take a new view after the profile has
    changed."""

    __slots__ = ("catalog", "context", "history", "lenders", "memo", "now_ms", "profile", "read_of", "trigger")

    def __init__(
        self,
        profile: Profile,
        catalog: Catalog,
        now_ms: int,
        context: Mapping[str, Any] = _NOTHING,
        trigger: Mapping[str, Any] = _NOTHING,
    ) -> None:
        self.profile = profile
        self.history = profile.history
        self.catalog = catalog
        self.now_ms = now_ms
        self.context = context
        self.trigger = trigger
        self.memo: dict[str, Any] = {}
        self.lenders: Sequence[Likely] = ()  # set by decisions alone: nothing else may read of a likely link
        self.read_of: set[str] = set()  # the profiles of whose excerpts something was read

    def lent(self, name: str) -> Any:
        """The value of a trait, or the list `segments`, of the likeliest profile that has lent it; None where none
        has."""
        for lender in self.lenders:
            value = lender.segments or None if name == "segments" else lender.traits.get(name)
            if value is not None:
                self.read_of.add(lender.profile)
                return value
        return None

    def times(self, atom: EventAtom) -> list[int]:
        """When the recent events happened that an atom is about, newest first."""
        if atom.text_at is not None:
            return self.history.by_text(atom.text_at).get(atom.text, [])
        times: list[int] | None = self.memo.get(atom.digest)
        if times is None:
            where = atom.where
            named = self.history.named(atom.name)
            times = self.memo[atom.digest] = [event.at_ms for event in named if where(event.properties)]
        return times

    def is_in_segment(self, segment: str) -> bool:
        """Whether the customer belongs to a segment. A run of an older catalog may ask for one that is gone."""
        condition = self.catalog.segments.get(segment)
        return condition is not None and condition(self)

    def is_suppressed_by(self, rule: str) -> bool:
        """Whether a suppression rule holds of the customer, no action looked at."""
        return any(known.when(self) for known in self.catalog.suppressions if known.id == rule)

    def is_granted(self, purpose: str, channel: str) -> bool:
        """Whether promotional messages may use a channel for a purpose."""
        return consents.is_granted(self.profile, self.catalog, purpose, channel, "promotional")

    def shelves(self) -> dict[str, set[str]]:
        """In which categories products lie, as the catalog's actions and this customer's events say."""
        known: dict[str, set[str]] | None = self.memo.get("shelves")
        if known is None:
            catalog = self.catalog
            known = self.memo["shelves"] = purchases.shelves(self.profile, catalog.purchases, catalog.shelves)
        return known
