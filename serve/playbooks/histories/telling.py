"""What invented customers do, as lines of an event file under the shop's names."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

from serve.playbooks.mapping import Names

Line = dict[str, Any]

BEGIN: Final = datetime(2026, 3, 2, 8, tzinfo=UTC)  # a Monday
_ARRIVE_WITHIN_H: Final = 24 * 14


class Customer:
    """One customer of a playbook. Time is in hours since their first event; everything about them is drawn from the
    seed."""

    def __init__(self, playbook: str, seed: int, number: int, names: Names) -> None:
        self.id, self.rng, self.lines = f"customer-{number:05}", Random(f"{seed}/{number}"), list[Line]()
        self._playbook = playbook
        self._names = names
        self._begin = BEGIN + timedelta(hours=self.rng.uniform(0, _ARRIVE_WITHIN_H))

    def signs_up(self, *, channels: tuple[str, ...], purpose: str = "marketing", **traits: Any) -> None:
        """Becomes known, with an address for each channel and a yes to it."""
        known = {"email": f"{self.id}@shop.example"} if "email" in channels else {}
        if "sms" in channels:
            known["phone"] = f"+4915{self.rng.randrange(10**8, 10**9)}"
        more = {"context": {"device": {"id": f"device-of-{self.id}"}}} if "push" in channels else {}
        self._line(-0.5, {"type": "identify", "traits": known | traits} | more)
        for channel in channels:
            granted = {"purpose": purpose, "channel": channel, "granted": True}
            self._line(-0.4, {"type": "track", "event": self._names.event("Consent Updated"), "properties": granted})

    def does(self, hours: float, event: str, **properties: Any) -> None:
        """An event, so many hours after the first."""
        named = shop_properties(self._names, event, properties)
        self._line(hours, {"type": "track", "event": self._names.event(event), "properties": named})

    def looks_in(self, hours: float) -> None:
        """A page view: the customer is back."""
        self._line(hours, {"type": "page", "name": "Home", "properties": {"url": "https://shop.example/"}})

    def _line(self, hours: float, told: Line) -> None:
        at = self._begin + timedelta(hours=hours)
        message = f"{self._playbook}-{self.id}-{len(self.lines) + 1}"
        self.lines.append({"messageId": message, "userId": self.id, "timestamp": _iso(at)} | told)


def fact(
    playbook: str, names: Names, seed: int, number: int, kind: str, thing: str, event: str, properties: Line
) -> Line:
    """A fact about a thing, at a time after the customers have come."""
    at = BEGIN + timedelta(hours=_ARRIVE_WITHIN_H + 24 * (number + 1))
    told = {
        "type": "thing",
        "messageId": f"{playbook}-fact-{seed}-{number}",
        "timestamp": _iso(at),
        "kind": kind,
        "id": thing,
    }
    return told | {"event": names.event(event), "properties": shop_properties(names, event, properties)}


def shop_properties(names: Names, event: str, properties: Mapping[str, Any], home: str = "") -> Line:
    """Properties at the shop's paths."""
    made: Line = {}
    for name, value in properties.items():
        path = f"{home}.{name}" if home else name
        theirs = names.within(event, home, name) if home else names.path(event, name)
        if isinstance(value, list):
            value = [shop_properties(names, event, each, path) if isinstance(each, dict) else each for each in value]
        *above, last = theirs.split(".")
        here = made
        for step in above:
            here = here.setdefault(step, {})
        here[last] = value
    return made


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
