"""The meaning of each gate's reasons, and what to do about them: the texts of the table in `docs/reasons.md`.

They are Markdown, with links as they lead from that page.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from engine.decide.gates.gate import Gate
from engine.decide.gates.order import GATES


class Text(NamedTuple):
    """One reason, for people."""

    means: str
    what_to_do: str


TEXTS: Final = {
    "validity.unknown_action": Text(
        "The catalog that a run entered under has no such action, or a decided send has lost its place.",
        "Look at the catalog that the timeline entry names.",
    ),
    "stop.<id>": Text(
        "A global stop of the action's tier happened; the journey is of another tier, so its run goes on.",
        "Nothing: that is the rule. Also see [stops](#stops-and-endings).",
    ),
    "journey.stopped": Text(
        "The journey of a decided send was stopped before the send could leave.",
        "Nothing. Also see [endings](#stops-and-endings).",
    ),
    "journey.removed": Text(
        "The active catalog has no such journey any more.",
        "Put the journey back, for those that enter it from then on.",
    ),
    "journey.deadline": Text(
        "The `deadline` of its step, or of its journey's `guards`, has passed: the message is worthless. "
        "One that was decided before ends `expired`.",
        "Nothing, or give it more time.",
    ),
    "journey.touches": Text(
        "The run has sent as many messages as `guards.touches` of its journey allows.",
        "Nothing: that is the rule.",
    ),
    "journey.pace": Text(
        "As many messages of its journey as `guards.pace` allows have left in that time. It waits for its turn.",
        "Nothing, or allow more.",
    ),
    "status.draft": Text(
        "The action's `status` is `draft` in the active catalog: nobody gets it.",
        "Write `status: live` when it is ready.",
    ),
    "status.paused": Text(
        "Its `status` is `paused`. Decisions pass it over; a send waits, decided or at its step, "
        "whatever `on_held` says.",
        "Nothing, or write `status: live`: what waits then goes on.",
    ),
    "status.stopped": Text(
        "Its `status` is `stopped`, or it was stopped or taken away after the send was decided.",
        "Nothing, or write `status: live` for what is decided from then on.",
    ),
    "status.removed": Text(
        "The active catalog has no such action any more; the run entered under one that had.",
        "Put the action back if those inside should still get it.",
    ),
    "validity.not_yet": Text(
        "The action's `valid.from` lies ahead, in the workspace's zone.",
        "Wait, or change the date.",
    ),
    "validity.over": Text(
        "The action's `valid.until` has passed, as the active catalog has it. The day itself still counts.",
        "Change the date, or remove the action.",
    ),
    "fit.channel": Text(
        "The action does not use this channel, or the catalog has no such channel any more.",
        "Add the channel to the action, with content in every variant.",
    ),
    "fit.placement": Text(
        "The action does not belong to this placement. An explanation lists such actions last.",
        "Add the placement to the action.",
    ),
    "fit.no_<namespace>": Text(
        "The channel needs an address that the profile does not have: `fit.no_email`, `fit.no_phone`.",
        "Send the address as a trait, with `identify`.",
    ),
    "consent.<purpose>.<channel>": Text(
        "No consent for this purpose on this channel, or it was withdrawn. "
        "[One precedence](consent.md) says which word counts.",
        "Ask the person. Do not work around it.",
    ),
    "eligibility": Text(
        "The action's `eligible` is false for this customer now.",
        "`…/why` and an explained decision have the [part that failed](reference.md#which-part-of-a-condition), "
        "with what it saw.",
    ),
    "suppress.<id>": Text(
        "A suppression rule of `policies.yaml` holds the action; `suppress.after_<id>` is a rule of `after_purchase`.",
        "Wait until its condition ends; `…/why` has the [part that holds](reference.md#which-part-of-a-condition).",
    ),
    "suppress.fatigue": Text(
        "The customer's fatigue with the category has reached `fatigue.silence_at`.",
        "Wait: it halves with every `half_life`.",
    ),
    "cap.<id>": Text(
        "The cap has no room. Reservations count like messages that have left, "
        "and so does a better action of the same decision.",
        "`caps` in the profile says what is used, and `resetsAt`.",
    ),
    "offer.full_price": Text(
        "The customer has paid full price for this product (or for one in this category) not long ago, "
        "and must not see it for less.",
        "Wait until `offers.full_price` has passed.",
    ),
    "offer.shown": Text(
        "The customer was shown another offer on the same product or category, or on one within or around it, or this "
        "one at a higher discount than its file says. All channels show that one until it expires or a higher discount "
        "replaces it.",
        "Look for it under `promises` in the profile.",
    ),
    "budget.<id>": Text(
        "All customers together have used it up for this period, "
        "or this customer's shard holds no token now and is asking for some.",
        "`/v1/status` says what was given out of it.",
    ),
    "propensity.low": Text(
        "The customer is less likely to take it than `min_propensity`: silence is better.",
        "Compare its `propensity` in the explanation.",
    ),
    "diversity.category": Text(
        "As many actions of its category as the placement takes are in this answer.",
        "`per_category` of the placement.",
    ),
    "outranked.<action>": Text(
        "It passed all gates, but better actions took every place that was asked for. "
        "`<action>` is the last that was chosen.",
        "Compare tier first, then score = propensity × value × weight × lever × freshness.",
    ),
    "holdout.<id>": Text(
        "It was the best, and the customer belongs to the share that gets none of it. Its slot stays empty.",
        "Nothing: that is the experiment.",
    ),
    "fit.unverified_<namespace>": Text(
        "A service message about what happened before a write key stated this address, which nobody has verified.",
        "State the address with a server key, or have its mailbox [confirm it](addresses.md).",
    ),
    "cap.service_per_address": Text(
        "As many service messages as `service_per_address` allows have gone to the address in the last 24 hours.",
        "Wait, or look who is sending so many.",
    ),
    "quiet_hours": Text(
        "It is quiet where the customer may be, by [`quiet_hours`](quiet-hours.md). The run waits at its step until it "
        "is quiet no more, whatever `on_held` says; by a rule with `then: drop` the message does not go at all.",
        "Nothing: that is the rule. The timeline names the rule, the zones, and how they are known.",
    ),
    "fit.unanswered_<namespace>": Text(
        "The address's own place, or the profile that counts for the address, gave no answer while the channel tried "
        "(`retry_for`). So nobody knows whether the address has opted out.",
        "Look whether a shard is down, or more than 1,000 profiles have this address.",
    ),
}


def table() -> str:
    """All reasons in the order of the gates, as a Markdown table."""
    return "\n".join(("| reason | asked of | means | what to do |", "|---|---|---|---|", *_rows()))


def _rows() -> Iterator[str]:
    for gate in GATES:
        for reason in gate.reasons:
            text = TEXTS[reason]
            yield f"| `{reason}` | {_asked_of(gate)} | {text.means} | {text.what_to_do} |"


def _asked_of(gate: Gate) -> str:
    of_both = not gate.asked.isdisjoint(("ranking", "choosing"))
    is_of_decisions = of_both or "chosen" in gate.asked or not (gate.asked or gate.refuse)
    asked = (
        ("decisions", is_of_decisions),
        ("sends", of_both or "send" in gate.asked),
        ("hand-overs", gate.refuse is not None or gate.delay is not None),
    )
    return ", ".join(word for word, holds in asked if holds)
