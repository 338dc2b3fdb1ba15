"""A small world for scenarios: the real engine, in process, on a replay clock, with a provider that keeps its mail.

Time is what `advance` says. Nothing of ours is mocked: these are the shards, windows and conductor that run in
production.
"""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import msgspec

from actors.replay_clock.in_process import LocalEngine
from actors.storage.store import Store
from actors.storage.vault import Vault
from engine import audit, codec
from engine.audit import Entry
from engine.catalog.compile import compile_document
from engine.catalog.compiled import Catalog
from engine.handoffs import touchpoints
from engine.identity.home import home_of
from engine.inputs import ConsentChange, Decide, Event, Exposure
from engine.parts.of_identity import ReviewEntry
from engine.profile import Profile, Run
from engine.readings import profiles

START_MS = 1_772_409_600_000  # 2026-03-02, a Monday
ID_KEY = b"a key for tests, 32 bytes long!!"
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
YES_TO_MAIL = ("marketing:email",)

_SMALL: dict[str, Any] = {
    "channels.yaml": {
        "channels": [
            {"id": "web", "provider": "none"},
            {"id": "email", "provider": "sandbox", "address": "email"},
            {"id": "sms", "provider": "sandbox"},
        ]
    },
    "consent.yaml": {
        "purposes": {
            "marketing": {"channels": ["email", "sms"], "no_consent_needed": ["web"], "default": False},
            "service": {"channels": [], "default": True},
        },
        "events": ["Consent Updated"],
    },
    "placements.yaml": {"placements": [{"id": "home_hero", "channel": "web"}]},
    "templates/plain.html": "<p>Hello</p>",
}


def action(name: str, **changes: Any) -> dict[str, Any]:
    """A promotional e-mail and web action; `changes` replace its fields."""
    base = {
        "id": name,
        "tier": "promotional",
        "purpose": "marketing",
        "channels": ["email"],
        "value": 1.0,
        "variants": [
            {
                "id": "a",
                "email": {"subject": name, "template": "plain.html"},
                "web": {"content": {"title": name}},
                "sms": {"text": name},
            }
        ],
    } | changes
    base["variants"] = [
        {key: value for key, value in variant.items() if key in ("id", "weight", *base["channels"])}
        for variant in base["variants"]
    ]
    return base


def cart_journey(**changes: Any) -> dict[str, Any]:
    """A reminder an hour after a cart was filled, stopped by a purchase."""
    return {
        "id": "abandoned_cart",
        "tier": "promotional",
        "trigger": {"event": "Product Added"},
        "key": "cart_id",
        "steps": [
            {"wait": {"for": "1h", "reset_on": ["Product Added"]}},
            {"send": {"action": "cart_reminder", "channel": "email"}},
        ],
    } | changes


def document(**files: Any) -> dict[str, Any]:
    """A small catalog as plain data; `files` by name without the ending (`policies={…}`), lists for actions and
    journeys."""
    made = dict(_SMALL)
    for name, content in files.items():
        if name in ("actions", "journeys"):
            made |= {f"{name}/{part['id']}.yaml": part for part in content}
        else:
            made[f"{name}.yaml"] = content
    return made


CART = document(
    actions=[action("cart_reminder")],
    journeys=[cart_journey()],
    policies={"stops": [{"id": "purchase", "on": "Order Completed", "tier": "promotional"}]},
)


def compiled(plain: dict[str, Any]) -> Catalog:
    """A catalog of a test's workspace."""
    return dataclasses.replace(compile_document(plain), id_key=ID_KEY)


class World:
    """An engine with a clock that the test moves."""

    def __init__(
        self,
        plain: dict[str, Any] | Catalog = CART,
        *,
        shards: int = 1,
        stores: list[Store] | None = None,
        vaults: list[Vault] | None = None,
    ) -> None:
        self.catalog = plain if isinstance(plain, Catalog) else compiled(plain)
        self.mailbox: list[dict[str, Any]] = []
        self.provider_says = "sent"
        self.engine = LocalEngine(self.catalog, shards=shards, stores=stores, vaults=vaults, provider=self._take)
        self.now_ms = START_MS
        self._messages = 0
        self.advance(0)

    def customer(self, name: str = "", *, consents: tuple[str, ...] = (), anonymous: str = "") -> Customer:
        """Somebody; a name with an @ is known by that e-mail address too, `consents` are `purpose:channel`."""
        who = Customer(self, name, anonymous)
        if "@" in name:
            who.identifies(email=name)
        for consent in consents:
            purpose, channel = consent.split(":")
            who.consents(purpose, channel, True)
        return who

    def advance(self, ms: int = 0, *, minutes: float = 0, hours: float = 0, days: float = 0) -> None:
        """Let time pass, and everything that falls due in it happen."""
        self.now_ms += ms + int(minutes * MINUTE + hours * HOUR + days * DAY)
        asyncio.run(self.engine.advance(self.now_ms))

    def settle(self) -> None:
        """Let messages that are under way arrive: half a minute, which is three windows."""
        self.advance(30_000)

    def drain(self) -> None:
        """Move the clock until nothing is pending."""
        self.now_ms = max(self.now_ms, asyncio.run(self.engine.advance(self.now_ms, drain=True))["now"])

    def message_id(self) -> str:
        """A new one."""
        self._messages += 1
        return f"m{self._messages}"

    def _take(self, message: dict[str, Any]) -> str:
        if self.provider_says == "sent":
            self.mailbox.append(message)
        return self.provider_says


class Customer:
    """A person in the world, by user id, by anonymous id, or both."""

    def __init__(self, world: World, user: str, anonymous: str) -> None:
        self.world, self.user, self.anonymous = world, user, anonymous

    def event(self, name: str, *, kind: str = "track", at_ms: int | None = None, **fields: Any) -> Event:
        """An event of this person, not sent yet."""
        known = {field: fields.pop(field) for field in tuple(fields) if field in Event.__struct_fields__}
        at_ms = self.world.now_ms if at_ms is None else at_ms
        base: dict[str, Any] = {
            "kind": kind,
            "name": name,
            "at_ms": at_ms,
            "received_at_ms": self.world.now_ms,
            "source": "test",
            "channel": "web",
            "message_id": self.world.message_id(),
            "user_id": self.user,
            "anonymous_id": self.anonymous,
            "properties": fields,
        }
        told = base | known
        kinds = touchpoints.kinds_of(self.world.catalog)
        kind = touchpoints.kind_of(kinds, told["channel"], told["name"], told.get("context", {}))
        return Event(**({"touchpoint": kind} | told))

    def does(self, name: str, **fields: Any) -> Event:
        """Something happens now."""
        event = self.event(name, **fields)
        self.tell(event)
        return event

    def tell(self, *events: Event) -> None:
        """Events reach the engine and have their turn."""
        self.world.engine.stage(events)
        self.world.advance(0)

    def identifies(self, **traits: Any) -> None:
        """Log in, with traits; an e-mail address is an identifier too."""
        pairs = tuple((namespace, traits[namespace]) for namespace in ("email", "phone") if namespace in traits)
        self.does("Identified", kind="identify", traits=traits, identifiers=pairs)

    def consents(self, purpose: str, channel: str, granted: bool) -> dict[str, Any]:
        """Grant or withdraw consent."""
        change = ConsentChange(
            purpose=purpose,
            channel=channel,
            granted=granted,
            at_ms=self.world.now_ms,
            source="test",
            identifiers=self._names(),
        )
        answer = self.world.engine.ask(change)
        assert answer is not None
        return answer

    def decides(self, placement: str = "home_hero", **fields: Any) -> dict[str, Any]:
        """Ask what to show."""
        asked = Decide(placement=placement, identifiers=self._names(), **({"channel": "web"} | fields))
        answer = self.world.engine.ask(asked)
        assert answer is not None
        return answer

    def sees(self, shown: dict[str, Any], event: Any = "viewed", at_ms: int | None = None) -> dict[str, Any]:
        """Tell an exposure of a shown action."""
        at_ms = self.world.now_ms if at_ms is None else at_ms
        told = Exposure(token=shown["trackingToken"], event=event, at_ms=at_ms)
        answer = self.world.engine.ask_profile(self.id, told)
        assert answer is not None
        return answer

    @property
    def id(self) -> str:
        """Where this person's profile lives now."""
        home = home_of(self.world.catalog, self.event("?"))
        assert home is not None
        return self.world.engine.resolve(home)

    @property
    def profile(self) -> Profile:
        """This person's profile."""
        found = self.world.engine.shard(self.id).record(self.id)
        assert isinstance(found, Profile), f"nobody knows {self.user or self.anonymous}"
        return found

    @property
    def shown(self) -> dict[str, Any]:
        """The profile as it is read."""
        return profiles.profile(self.profile, self.world.catalog, self.world.now_ms)

    @property
    def timeline(self) -> list[Entry]:
        """All entries of the audit chain, in order."""
        rows = self.world.engine.shard(self.id).records("audit", self.id)
        return sorted((audit.open_entry(value)[1] for _, value in rows), key=lambda entry: entry.at_ms)

    @property
    def questions(self) -> list[ReviewEntry]:
        """The entries of the review queue about this person."""
        rows = self.world.engine.shard(self.id).records("reviews", self.id)
        found = [msgspec.msgpack.decode(codec.unseal(record), type=ReviewEntry) for _, record in rows]
        return sorted(found, key=lambda entry: (entry.at_ms, entry.kind, entry.namespace))

    @property
    def refusals(self) -> list[str]:
        """Why identifiers and other profiles did not become this person's."""
        return [entry.reason for entry in self.timeline if entry.kind == "identity" and entry.outcome == "refused"]

    @property
    def pending_timers(self) -> list[str]:
        """The journeys whose timers are pending."""
        return [run.journey for run in self.profile.runs if run.due_ms]

    @property
    def sends(self) -> list[str]:
        """The actions of the messages that have left for this person."""
        return [entry.action for entry in self.timeline if entry.kind == "send" and entry.outcome == "sent"]

    def outcomes(self, outcome: str) -> list[tuple[str, str]]:
        """(action, reason) of every send entry with this outcome."""
        return [(e.action, e.reason) for e in self.timeline if e.kind == "send" and e.outcome == outcome]

    def run(self, journey: str) -> Run:
        """The newest run of a journey."""
        return [run for run in self.profile.runs if run.journey == journey][-1]

    def _names(self) -> tuple[tuple[str, str], ...]:
        pairs = (("user_id", self.user), ("anonymous_id", self.anonymous))
        return tuple((namespace, value) for namespace, value in pairs if value)
