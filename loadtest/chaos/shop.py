"""The shop of a chaos run: a catalog whose waits are seconds or hours, and customers who use every part of it.

Each event that starts a run carries a key of its own, which the subject of the run's mail repeats. So a mail says which
event it answers, and nobody has to ask the engine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, Final

_SECOND_MS: Final = 1_000
_HOUR_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True)
class Journey:
    """A journey and its promise to the event that starts it: one mail after `wait_ms`, or a named reason why not."""

    id: str
    action: str
    wait_ms: int
    is_promotional: bool

    @property
    def outlasts_the_run(self) -> bool:
        """Whether its timer must still be pending when the books are closed."""
        return self.wait_ms >= _HOUR_MS


PURCHASE: Final = "Order Completed"
PREFERENCE: Final = "Preference Changed"
JOURNEYS: Final[Mapping[str, Journey]] = {
    "Letter Wanted": Journey("letters", "letter", 0, False),
    "Price Dropped": Journey("prices", "price_alert", 0, True),
    "Product Added": Journey("carts", "cart_reminder", 3 * _SECOND_MS, True),
    "List Kept": Journey("lists", "list_reminder", 2 * _HOUR_MS, False),
    "Favourite Seen": Journey("favourites", "favourite_reminder", 2 * _HOUR_MS, True),
}
CAPS: Final[Mapping[str, int]] = {"letter": 12, "price_alert": 2}  # mails of an action in a week, to one customer

_SETTINGS: Final = {
    "channels.yaml": """
channels:
  - {id: web, provider: none}
  - id: email
    provider: smtp
    address: email
    host: 127.0.0.1
    port: 1025
    port_env: SEGUE_SMTP_PORT
    sender: "Alba <alba@shop.example>"
    timeout_s: 20
""",
    "consent.yaml": f"""
purposes:
  marketing: {{no_consent_needed: [email, web]}}
events: [{PREFERENCE}]
""",
    "placements.yaml": "placements:\n  - {id: home_hero, channel: web, default: {}}\n",
    "templates/plain.html": "<p>Hello</p><a href='{{ unsubscribe_url }}'>No more of these</a>",
    "actions/spring_offer.yaml": """
id: spring_offer
tier: promotional
purpose: marketing
channels: [web]
placements: [home_hero]
variants:
  - id: a
    web: {content: {title: Spring}}
""",
}


def write_catalog(directory: Path) -> Path:
    """The shop as files for `--config`."""
    for name, text in _catalog().items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return directory


def _catalog() -> dict[str, str]:
    files = dict(_SETTINGS)
    caps = "".join(
        f"  - {{id: {action}, limit: {most}, per: 7d, match: {{action: {action}}}}}\n" for action, most in CAPS.items()
    )
    stops = f"stops:\n  - {{id: purchase, on: {PURCHASE}, tier: promotional}}\n"
    files["policies.yaml"] = (
        f"caps:\n{caps}  - {{id: hero, limit: 2, per: 1d, match: {{action: spring_offer}}}}\n{stops}"
    )
    for trigger, journey in JOURNEYS.items():
        tier = "promotional" if journey.is_promotional else "lifecycle"
        wait = (
            f"  - wait: {{for: {journey.wait_ms // _SECOND_MS}s, reset_on: [Cart Touched]}}\n"
            if journey.wait_ms
            else ""
        )
        files[f"journeys/{journey.id}.yaml"] = (
            f"id: {journey.id}\ntier: {tier}\ntrigger: {{event: {trigger}}}\nkey: key\nsteps:\n{wait}"
            f"  - send: {{action: {journey.action}, channel: email}}\n"
        )
        files[f"actions/{journey.action}.yaml"] = (
            f"id: {journey.action}\ntier: {tier}\npurpose: marketing\nchannels: [email]\nvariants:\n  - id: a\n"
            f'    email: {{subject: "{journey.action} {{{{ event.key }}}}", template: plain.html}}\n'
        )
    return files


_DEEDS: Final[Mapping[str, int]] = {  # what a customer does next, by weight
    "Product Viewed": 26,
    "Product Added": 16,
    "Cart Touched": 6,
    "Letter Wanted": 14,
    "Price Dropped": 6,
    "List Kept": 5,
    "Favourite Seen": 6,
    PURCHASE: 4,
    "signs in": 5,
}
_VISITS_MAX = 20  # anonymous ids of one customer
_ANONYMOUS_SHARE = 0.25
_NEW_VISIT_SHARE = 0.3
_OPTS_OUT_SHARE = 0.3


@dataclass(slots=True)
class Shopper:
    """One customer, whose deeds are drawn. Their times rise strictly, so the order of deeds is never in doubt."""

    name: str
    random: Random
    clock_ms: int = 0
    done: int = 0
    carts: list[str] = field(default_factory=list)
    visits: list[str] = field(default_factory=list)
    unlinked: set[str] = field(default_factory=set)
    opts_out_at: int = 0  # how many deeds before they opt out; 0: never

    def __post_init__(self) -> None:
        if self.random.random() < _OPTS_OUT_SHARE:
            self.opts_out_at = self.random.randint(10, 120)

    @property
    def address(self) -> str:
        """Where their mail goes."""
        return f"{self.name}@shop.example"

    def introduces_themselves(self, now_ms: int) -> dict[str, Any]:
        """Their first event: who they are, and their address."""
        return self._event(now_ms, type="identify", userId=self.name, traits={"email": self.address})

    def does(self, now_ms: int) -> dict[str, Any]:
        """The next event."""
        deed = self.random.choices(list(_DEEDS), list(_DEEDS.values()))[0]
        if deed == "signs in":
            return self.signs_in(now_ms, self.random.choice(sorted(self.unlinked)) if self.unlinked else "")
        who = self._who(deed)
        key = f"{self.name}-{self.done}"
        if deed == "Product Added":
            self.carts.append(key)
        elif deed == "Cart Touched" and self.carts:
            key = self.carts[-1]
        return self._event(now_ms, type="track", event=deed, properties={"key": key}, **who)

    def signs_in(self, now_ms: int, visit: str) -> dict[str, Any]:
        """A visitor turns out to be this customer; without a visit, nothing new is said."""
        self.unlinked.discard(visit)
        more = {"anonymousId": visit} if visit else {}
        return self._event(now_ms, type="identify", userId=self.name, traits={"seen": self.done}, **more)

    def opts_out(self, now_ms: int) -> dict[str, Any]:
        """An opt-out that comes as an event."""
        said = {"purpose": "marketing", "channel": "email", "granted": False}
        return self._event(now_ms, type="track", event=PREFERENCE, properties=said, userId=self.name)

    def remaining_visits(self, now_ms: int) -> Iterator[dict[str, Any]]:
        """The sign-ins at the end, after which no visit is anonymous: then every event is in a customer's timeline."""
        for visit in sorted(self.unlinked):
            yield self.signs_in(now_ms, visit)

    def _who(self, deed: str) -> dict[str, str]:
        if deed == PURCHASE or self.random.random() > _ANONYMOUS_SHARE:
            return {"userId": self.name}
        if len(self.visits) < _VISITS_MAX and (not self.visits or self.random.random() < _NEW_VISIT_SHARE):
            self.visits.append(f"visit-{len(self.visits)}-of-{self.name}")
            self.unlinked.add(self.visits[-1])
        return {"anonymousId": self.random.choice(self.visits)}

    def _event(self, now_ms: int, **body: Any) -> dict[str, Any]:
        self.clock_ms = max(now_ms, self.clock_ms + 1)
        self.done += 1
        at = datetime.fromtimestamp(self.clock_ms / 1000, UTC).isoformat(timespec="milliseconds")
        return {"messageId": f"{self.name}-{self.done}", "timestamp": at.replace("+00:00", "Z"), **body}
