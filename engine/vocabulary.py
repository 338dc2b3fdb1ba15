"""Closed words: tiers, outcomes, entry kinds. Clients, YAML, logs and code use the same ones.

Reasons are the gates' (`engine.decide.gates.order`)."""

from __future__ import annotations

from typing import Final, Literal, get_args

Tier = Literal["service", "lifecycle", "promotional"]
TIER_RANK: Final[dict[str, int]] = {"service": 0, "lifecycle": 1, "promotional": 2}

# Of a journey or an action, from the most to the least that may happen.
Status = Literal["live", "paused", "draft", "stopped"]

# A candidate of a decision ends in exactly one of these.
Outcome = Literal["chosen", "dropped", "outranked"]

# The life of an intended send; all but the first two are final.
SendState = Literal[
    "decided", "handing_over", "sent", "simulated", "refused", "unknown", "withdrawn", "held", "failed", "expired"
]
# What is said of a send that was to be handed over. `retry`: it was surely not sent; `not_begun`: nobody was asked.
Settlement = Literal["sent", "simulated", "refused", "unknown", "retry", "not_begun"]
# What an adapter says of a message that its provider has taken.
Accepted = Literal["sent", "simulated"]
FINAL_STATES: Final = frozenset(get_args(SendState)) - {"decided", "handing_over"}
# To journeys and caps these are messages that the customer has. Only `sent` is a delivery: a message that a sandbox
# took reached nobody, and counts in no lift.
ARRIVED: Final = frozenset({"sent", "simulated"})

# What may become of a message: by its gates and its provider, then by its recipient.
OutcomeWord = Literal[
    "held",
    "sent",
    "refused",
    "failed",
    "unknown",
    "withdrawn",
    "expired",
    "delivered",
    "bounced",
    "opened",
    "clicked",
    "unsubscribed",
    "complained",
    "unavoidable",
]

EntryKind = Literal[
    "event",
    "decision",
    "send",
    "receipt",
    "exposure",
    "consent",
    "journey",
    "timer",
    "stop",
    "merge",
    "split",
    "identity",
    "clock",
    "transition",
    "webhook",
]

ExposureEvent = Literal["viewed", "clicked", "dismissed", "converted"]

# Why an address is the current one: its mailbox confirmed it; it is verified, and what came later is not; an `identify`
# stated it; nothing was stated, and it was mentioned last.
CURRENT_BECAUSE: Final = ("confirmed", "verified", "stated", "mentioned")
SERVICE_CAP: Final = "service_per_address"  # a cap of its own: how many service messages a day

NAMESPACES: Final = ("user_id", "email", "phone", "device_id", "loyalty_id", "anonymous_id")

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000

NEVER_MS: Final = 1 << 53  # the due time of timers and sends that wait for a pause to end; behind every clock
