"""The facts that all events of one request share."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from engine.catalog.identity_rules import USUAL, IdentityRules
from engine.handoffs.touchpoints import Kinds
from serve.http.user_hash import Proof


@dataclass(frozen=True, slots=True)
class Arrival:
    """The facts that all events of a request share.

    `channel` is the source's, for events without one. `imported` takes each `timestamp` as it is. `public`: the request
    came under a write key. `proof` is the proof that this key asks for a user id. `country` is that of telephone
    numbers without a country code, unless traits say another. `sent_at_ms` and `context` are the batch's own.
    `rules` are those of the catalog about who is who, `touchpoints` its kinds of touchpoint by channel.
    `unusable` counts, by namespace, the values of identifiers that are none; addresses where an `identify` states them.
    """

    source: str
    channel: str
    received_at_ms: int
    imported: bool = False
    public: bool = False
    proof: Proof = Proof()  # noqa: RUF009 - it is frozen
    country: str = ""
    rules: IdentityRules = USUAL
    touchpoints: Kinds = field(default_factory=dict)
    sent_at_ms: int | None = None
    context: dict[str, Any] = field(default_factory=dict)
    unusable: Counter[str] = field(default_factory=Counter)
