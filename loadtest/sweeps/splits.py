"""Undoes random merges at once: both profiles must come back as they were, in canonical plaintext.

Each pair lives for a while, each by itself: events, identifiers, consent, decisions, timers, messages that leave. Then
one is merged into the other, and the merge is undone with nothing in between. What tells of the merge and the split
themselves is left out of the comparison (`docs/design/splits.md`).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Final

from engine import codec, effects, seeds
from engine.catalog.compile import compile_document
from engine.catalog.compiled import Catalog
from engine.events import history
from engine.inputs import Authorise, ConsentChange, Decide, Event, HandOver, Merge, Settle, Split, TimersDue
from engine.journeys import triggers
from engine.profile import Profile
from engine.splitting.around import Around
from engine.turn import handle
from engine.turn_state import Turn
from engine.vocabulary import DAY_MS, HOUR_MS, MINUTE_MS
from loadtest.chaos.outcome import Figure, Outcome

SPLITS: Final = 10_000
_START_MS: Final = 1_772_409_600_000
_NAMES: Final = ("Product Viewed", "Product Added", "Order Completed", "Page Viewed", "Call Ended")
_FAULTS_MAX: Final = 20


def sweep(size: int, folder: Path) -> Outcome:
    """Undo `size` merges."""
    began_s, faults = time.monotonic(), []
    for seed in range(size):
        faults += [f"seed {seed}: {fault}" for fault in play(seed)]
        if len(faults) > _FAULTS_MAX:
            break
    took_s = time.monotonic() - began_s
    return Outcome([Figure("merges undone", size), Figure("each took", round(1e3 * took_s / size, 2), "ms")], faults)


def play(seed: int) -> list[str]:
    """The differences of one pair; none where all is as it must be."""
    lot, catalog = random.Random(seed), _catalog()
    survivor, other = _lived(lot, catalog, "user_id", f"u{seed}"), _lived(lot, catalog, "anonymous_id", f"a{seed}")
    now_ms = max(survivor.profile.clock_ms, other.profile.clock_ms) + lot.randrange(DAY_MS)
    before, state = _copied(survivor.profile), codec.encode_record(other.profile)
    told = HandOver(origin=other.profile.id, state=state, history=other.pages)
    asked = handle(survivor.profile, told, catalog, now_ms)
    kept = next(effect for effect in asked if isinstance(effect, effects.KeepMerge))
    after = codec.encode_record(survivor.profile)
    merged = [(key, codec.encode_page(page.events)) for key, page in _pages(survivor.profile.id, asked)]
    split = Split(
        merge_id=kept.merge_id,
        records=((kept.merge_id, Around(kept.before, kept.other, after).record),),
        pages=tuple(merged),
    )
    now_ms += lot.randrange(HOUR_MS)
    given = handle(survivor.profile, split, catalog, now_ms)
    back = next(effect for effect in given if isinstance(effect, effects.GiveBack))
    theirs = codec.decode_record(back.state)
    assert isinstance(theirs, Profile), "a profile is given back"
    mine = _recounted(survivor.profile, catalog, survivor.pages)
    triggers.forget_ended(Turn(before, catalog, now_ms))  # what time alone has made old meanwhile
    return [
        *_unlike("survivor", mine, before),
        *_unlike("other", _recounted(theirs, catalog, other.pages), _copied(other.profile)),
    ]


class _Life:
    """A profile with its pages."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.pages: tuple[tuple[bytes, bytes], ...] = ()


def _lived(lot: random.Random, catalog: Catalog, namespace: str, value: str) -> _Life:
    life = _Life(Profile(seeds.profile_id(catalog.id_key, namespace, value)))
    now_ms = _START_MS + lot.randrange(DAY_MS)
    first = _event(lot, life.profile, catalog, now_ms, "first", namespace, value)
    _answer(life, catalog, now_ms, handle(life.profile, first, catalog, now_ms))
    for number in range(lot.choice((1, 3, 8, 20, 60))):
        now_ms += lot.choice((1_000, MINUTE_MS, HOUR_MS, DAY_MS))
        told = lot.choice(_TOLD)(lot, life.profile, catalog, now_ms, f"{value}-{number}", namespace, value)
        if told is not None:
            asked = handle(life.profile, told, catalog, now_ms)
            rows = [(key, codec.encode_page(page.events)) for key, page in _pages(life.profile.id, asked)]
            life.pages = (*life.pages, *rows)
            _answer(life, catalog, now_ms, asked)
    return life


def _answer(life: _Life, catalog: Catalog, now_ms: int, asked: list[effects.Effect]) -> None:
    """Nobody lives at the places that the profile asks, so they point to it."""
    for told in [effect for effect in asked if isinstance(effect, effects.Tell)]:
        if isinstance(told.message, Merge):
            here = HandOver(origin=told.to, to=life.profile.id)
            handle(life.profile, here, catalog, now_ms)


def _pages(profile: str, asked: list[effects.Effect]) -> list[tuple[bytes, effects.Page]]:
    origin = bytes.fromhex(profile[4:12])
    return [(origin + page.number.to_bytes(4), page) for page in asked if isinstance(page, effects.Page)]


def _event(
    lot: random.Random, profile: Profile, catalog: Catalog, now_ms: int, name: str, namespace: str, value: str
) -> Any:
    known = {"user_id": value} if namespace == "user_id" else {"anonymous_id": value}
    others = [("device_id", f"d-{value}"), ("email", f"{value}@example.com"), ("loyalty_id", f"c-{value}")]
    kind = lot.choice(("track", "identify"))
    return Event(
        kind=kind,
        name="Identified" if kind == "identify" else lot.choice(_NAMES),
        at_ms=now_ms - lot.choice((0, 0, HOUR_MS)),
        received_at_ms=now_ms,
        source="shop",
        channel="web",
        message_id=name,
        identifiers=tuple(lot.sample(others, lot.randrange(2))),
        properties={"cart_id": lot.choice("abc"), "value_minor": lot.randrange(9_000)},
        traits={lot.choice(("hat", "shoe", "email")): f"{lot.randrange(9)}@example.com"} if kind == "identify" else {},
        context={"locale": lot.choice(("de", "en")), "timezone": "Europe/Berlin"} if lot.random() < 0.2 else {},
        **known,
    )


def _consent(
    lot: random.Random, profile: Profile, catalog: Catalog, now_ms: int, name: str, namespace: str, value: str
) -> Any:
    return ConsentChange(
        purpose=lot.choice(("marketing", "service", "*")),
        channel=lot.choice(("email", "sms", "*")),
        granted=lot.random() < 0.7,
        at_ms=now_ms,
        source="shop",
        identifiers=((namespace, value),),
    )


def _decide(
    lot: random.Random, profile: Profile, catalog: Catalog, now_ms: int, name: str, namespace: str, value: str
) -> Any:
    return Decide(placement="hero", channel="web", identifiers=((namespace, value),), request_id=name)


def _timer(lot: random.Random, profile: Profile, *_: Any) -> Any:
    due = [run.due_ms for run in profile.runs if run.due_ms]
    return TimersDue(at_ms=min(due)) if due else None


def _leave(lot: random.Random, profile: Profile, catalog: Catalog, now_ms: int, *_: Any) -> Any:
    """A message leaves, with its outcome."""
    send = next((send for send in profile.sends if send.waits_ms <= now_ms), None)
    if send is None:
        return None
    handle(profile, Authorise(send_id=send.id, dispatcher="d"), catalog, now_ms)
    return Settle(send_id=send.id, outcome=lot.choice(("sent", "refused", "unknown", "retry")))


_TOLD: Final[tuple[Callable[..., Any], ...]] = (_event, _event, _event, _event, _consent, _decide, _timer, _leave)


def _copied(profile: Profile) -> Profile:
    found = codec.decode_record(codec.encode_record(profile))
    assert isinstance(found, Profile), "a profile is copied"
    return found


def _recounted(profile: Profile, catalog: Catalog, pages: tuple[tuple[bytes, bytes], ...]) -> Profile:
    """The profile with its older events counted, as a shard counts them after a split."""
    if profile.spilled:
        history.recount(profile, catalog, [event for _, page in pages for event in codec.decode_page(page)])
    return profile


def _unlike(who: str, profile: Profile, was: Profile) -> list[str]:
    """The differences but for what tells of the merge and the split."""
    pair = [_less_records(profile), _less_records(was)]
    if codec.canonical(pair[0]) == codec.canonical(pair[1]):
        return []
    found = [name for name in was.__struct_fields__ if getattr(pair[0], name) != getattr(pair[1], name)]
    return [f"{who} has other {', '.join(found) or 'events'}"]


def _less_records(profile: Profile) -> Profile:
    found = _copied(profile)
    found.clock_ms = found.message_seq = found.audit_seq = 0
    found.audit_head, found.moving_to, found.moving_by = b"", "", None
    found.held, found.absorbing, found.parting, found.unlike, found.split_off, found.ledger = [], [], [], [], {}, []
    found.unanswered = []  # both ask the places of their addresses again
    return found


@cache
def _catalog() -> Catalog:
    """A small shop with everything that a merge has to do with: caps, stops, draws, holdouts, consent, tiredness."""
    variants = [
        {"id": name, "web": {"content": {"title": name}}, "email": {"subject": name, "template": "plain.html"}}
        for name in ("a", "b")
    ]

    def action(name: str, **changes: Any) -> dict[str, Any]:
        channels = changes.get("channels", ["email"])
        made = [{"id": each["id"], **{channel: each[channel] for channel in channels}} for each in variants]
        base = {"id": name, "tier": "promotional", "purpose": "marketing", "value": 1.0, "variants": made}
        return base | {"channels": channels} | changes

    offer = {"discount": 10, "lasts": "2d"}
    document: dict[str, Any] = {
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
            }
        },
        "placements.yaml": {"placements": [{"id": "hero", "channel": "web"}]},
        "templates/plain.html": "<p>Hello</p>",
        "policies.yaml": {
            "caps": [
                {"id": "mails", "limit": 1, "per": "7d", "match": {"channel": "email"}},
                {"id": "heroes", "limit": 2, "per": "1d", "match": {"channel": "web"}},
            ],
            "stops": [{"id": "purchase", "on": "Order Completed", "tier": "promotional"}],
            "holdouts": [{"id": "control", "share": 0.3, "match": {"action": "banner"}}],
        },
    }
    for each in (
        action("reminder", purpose="service"),
        action("banner", channels=["web"], placements=["hero"], product="s1", offer=offer),
        action("other", channels=["web"], placements=["hero"], value=0.5),
    ):
        document[f"actions/{each['id']}.yaml"] = each
    journey = {"id": "cart", "tier": "promotional", "trigger": {"event": "Product Added"}, "key": "cart_id"}
    steps = [
        {"wait": {"for": "1h", "reset_on": ["Product Added"]}},
        {"send": {"action": "reminder", "channel": "email"}},
    ]
    document["journeys/cart.yaml"] = journey | {"steps": [*steps, {"wait": {"for": "3d"}}]}
    return replace(compile_document(document), id_key=seeds.FIXED_KEY)
