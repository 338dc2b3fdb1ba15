"""Says what a part of a condition saw of a customer, in words of bounded length."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf
from typing import Any, Final

from engine.conditions import outcomes, purchases
from engine.conditions.event_counts import EventCount
from engine.conditions.predicates import LIKELY
from engine.contact import consents
from engine.explain.in_words import as_json, at_time
from engine.values.paths import values_at
from engine.view import View

_VALUES_MAX: Final = 200  # of a list that are shown


def saw(view: View, word: str, body: Mapping[str, Any]) -> str:
    """In words what an atom found; `body` stands under its `word`."""
    if word == "consent":
        return _consent_seen(view, body["purpose"], body["channel"])
    if word == "event":
        return _events_seen(view, body)
    if word == "outcome":
        at_ms = outcomes.newest_ms(view.profile, body, view.now_ms)
        return "none" if at_ms is None else f"{' or '.join(body['name'])} on {at_time(at_ms)}"
    if word == "bought":
        at_ms = purchases.Question.of(body).newest_ms(view)
        return "nothing that stands" if at_ms is None else f"bought on {at_time(at_ms)}"
    path = tuple(body["name"].split("."))
    data = _traits_at(view, path[0]) if word == "trait" else view.context
    return value_seen(data, path)


def _traits_at(view: View, name: str) -> Mapping[str, Any]:
    if name == LIKELY:
        lent = {trait: view.lent(trait) for lender in view.lenders for trait in (*lender.traits, "segments")}
        return {name: {trait: value for trait, value in lent.items() if value is not None}}
    trait = view.profile.traits.get(name)
    return {} if trait is None else {name: trait.value}


def value_seen(data: Any, path: tuple[str, ...]) -> str:
    """The value at a path; where a list lies on the way, all values that the path leads to."""
    value = data
    for step in path:
        if isinstance(value, list | tuple):
            return as_json(list(_some(values_at(data, path))))
        if not isinstance(value, Mapping) or step not in value:
            return "nothing"
        value = value[step]
    return as_json(value)


def _some(values: Iterator[Any]) -> Iterator[Any]:
    return (value for value, _ in zip(values, range(_VALUES_MAX), strict=False))


def _events_seen(view: View, body: Mapping[str, Any]) -> str:
    asked = EventCount.of(body)
    since_ms = asked.since_ms(view)
    count = asked.times_since(view, since_ms)
    return f"{count or 'none'}{f' since {at_time(since_ms)}' if since_ms > -inf else ''}"


def _consent_seen(view: View, purpose: str, channel: str) -> str:
    noes = consents.against(view.profile, purpose, channel)
    covering = [no for no in noes if consents.covers(no, purpose, channel)]
    if covering:
        no = covering[0]
        return f"withdrawn ({no.purpose} on {no.channel}) on {at_time(no.at_ms)} by {no.source or 'nobody named'}"
    basis = consents.basis(view.profile, view.catalog, purpose, channel, "promotional")
    if basis is None:
        return "nothing is recorded"
    return {consents.NOT_NEEDED: "not needed", consents.BY_DEFAULT: "granted by default"}.get(
        basis, f"granted ({basis})"
    )
