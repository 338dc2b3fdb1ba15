"""The gates, in the one order that they have everywhere. This list is the only place where the order is written down.

Decisions, journeys' sends, the authorisation just before a hand-over, the objections to a held send, the numbers of
reasons in receipts, the part of a condition behind a no, and the table in `docs/reasons.md` are all read from it. Each
candidate ends with the reason of the first gate that removes it.

To add a gate:

1. write its function: `strike` for candidates, `refuse` for what is decided and about to leave, or both;
2. add one entry to GATES, where it belongs in the order (one that decisions ask needs the next free block of numbers);
3. add the text of each of its reasons to `engine.decide.gates.texts`, and the table that the failing test of
   `docs/reasons.md` prints.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from engine.decide.gates import availability, chance, conditions, guards, quiet, reach, scarce, service_mail
from engine.decide.gates.gate import Gate, Numbered, When

_RANKING: Final[frozenset[When]] = frozenset({"ranking"})
_CHOOSING: Final[frozenset[When]] = frozenset({"choosing"})
_CHOSEN: Final[frozenset[When]] = frozenset({"chosen"})
_SEND: Final[frozenset[When]] = frozenset({"send"})

GATES: Final = (
    # No `strike`: a send without its action cannot be a candidate, so `engine.sends.proposal` refuses it before.
    Gate(name="known", reasons=(availability.UNKNOWN_ACTION,), asked=_SEND, refuse=availability.is_known),
    Gate(name="stop", reasons=("stop.<id>",), asked=_SEND, strike=availability.without_stopped),
    Gate(name="journey", reasons=("journey.stopped", "journey.removed"), refuse=availability.is_inside),
    Gate(
        name="deadline",
        reasons=(guards.DEADLINE,),
        asked=_SEND,
        strike=guards.in_time,
        refuse=guards.is_in_time,
    ),
    Gate(name="touches", reasons=(guards.TOUCHES,), asked=_SEND, strike=guards.within_touches),
    Gate(
        name="status",
        reasons=(
            "status.draft",
            "status.paused",
            "status.stopped",
            "status.removed",
            "validity.not_yet",
            "validity.over",
        ),
        asked=_RANKING,
        about=("statuses", "validity"),
        strike=availability.without_idle,
        refuse=availability.has_ended,
        numbered=(Numbered(0, availability.dates), Numbered(14, availability.statuses_of)),
    ),
    Gate(
        name="channel",
        reasons=("fit.channel",),
        asked=_RANKING,
        strike=availability.on_channel,
        refuse=availability.is_on_channel,
        numbered=(Numbered(1, availability.channels),),
    ),
    # No function: actions of other placements are no candidates. An explanation lists them all the same.
    Gate(name="placement", reasons=("fit.placement",)),
    Gate(
        name="address",
        reasons=("fit.no_<namespace>",),
        asked=_RANKING,
        strike=reach.with_address,
        refuse=reach.has_address,
        numbered=(Numbered(3, reach.addresses_of),),
    ),
    Gate(
        name="consent",
        reasons=("consent.<purpose>.<channel>",),
        asked=_RANKING,
        strike=reach.consented,
        refuse=reach.is_consented,
        numbered=(Numbered(4, reach.purposes),),
    ),
    Gate(
        name="eligibility",
        reasons=("eligibility",),
        asked=_RANKING,
        strike=conditions.eligible,
        behind=conditions.behind_eligibility,
        numbered=(Numbered(2, conditions.eligibility),),
    ),
    Gate(
        name="suppress",
        reasons=("suppress.<id>",),
        asked=_RANKING,
        about=("suppressions",),
        strike=conditions.unsuppressed,
        refuse=conditions.is_unsuppressed,
        behind=conditions.behind_suppression,
        numbered=(Numbered(5, conditions.suppressions),),
        names_every_rule=True,
    ),
    Gate(
        name="fatigue",
        reasons=("suppress.fatigue",),
        asked=_RANKING,
        about=("tiring",),
        strike=conditions.fresh,
        numbered=(Numbered(7, conditions.fatigues),),
    ),
    Gate(
        name="cap",
        reasons=("cap.<id>",),
        asked=_RANKING | _CHOSEN,
        about=("caps",),
        strike=scarce.with_room,
        refuse=scarce.has_room,
        delay=scarce.has_room_soon,
        numbered=(Numbered(6, scarce.caps_of),),
        names_every_rule=True,
    ),
    Gate(
        name="full price",
        reasons=("offer.full_price",),
        asked=_RANKING,
        about=("offering",),
        strike=scarce.not_paid_in_full,
        behind=scarce.behind_full_price,
        numbered=(Numbered(8, partial(scarce.offers_of, "offer.full_price")),),
    ),
    Gate(
        name="offer",
        reasons=("offer.shown",),
        asked=_RANKING | _CHOSEN,
        about=("offering",),
        strike=scarce.unpromised,
        numbered=(Numbered(9, partial(scarce.offers_of, "offer.shown")),),
    ),
    Gate(
        name="budget",
        reasons=("budget.<id>",),
        asked=_RANKING | _CHOSEN,
        about=("budgets",),
        strike=scarce.paid,
        numbered=(Numbered(10, scarce.budgets_of),),
    ),
    Gate(
        name="propensity",
        reasons=("propensity.low",),
        asked=_CHOOSING,
        strike=chance.likely,
        numbered=(Numbered(11, chance.least_propensity),),
    ),
    Gate(
        name="diversity",
        reasons=("diversity.category",),
        asked=_CHOSEN,
        about=("per_category",),
        strike=scarce.uncrowded,
        numbered=(Numbered(12, scarce.crowds),),
    ),
    # No function: this is what becomes of those that arbitration does not choose.
    Gate(name="arbitration", reasons=("outranked.<action>",)),
    Gate(
        name="holdout",
        reasons=("holdout.<id>",),
        asked=_CHOOSING,
        about=("holdouts",),
        strike=chance.not_held_out,
        numbered=(Numbered(13, chance.holdouts),),
        empties_slot=True,
    ),
    Gate(
        name="service mail",
        reasons=("fit.unverified_<namespace>", "cap.service_per_address"),
        asked=_SEND,
        strike=service_mail.spared,
        refuse=service_mail.is_spared,
    ),
    Gate(
        name="quiet hours",
        reasons=(quiet.QUIET_HOURS,),
        asked=_SEND,
        about=("quiet_hours",),
        strike=quiet.out_of_quiet_hours,
        refuse=quiet.is_dropped,
        delay=quiet.waits,
    ),
    Gate(name="pace", reasons=(guards.PACE,), delay=guards.in_turn),
    Gate(name="answer", reasons=("fit.unanswered_<namespace>",), refuse=service_mail.is_answered),
)
