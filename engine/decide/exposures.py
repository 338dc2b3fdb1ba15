"""Exposures of a shown action: seeing it in time commits its place, dismissing it gives the place back."""

from __future__ import annotations

from engine.catalog.compiled import Catalog
from engine.decide import offers
from engine.decide.shown import OfferShown as OfferShown
from engine.decide.shown import ShownAction as ShownAction
from engine.decide.shown import read_token as read_token
from engine.frequency import budgets, caps, fatigue
from engine.inputs import Exposure
from engine.profile import Place
from engine.turn_state import Turn


def expose(turn: Turn, told: Exposure, shown: ShownAction) -> None:
    """Settle the place of a shown action by what the customer did with it, as of the event's own time. Repeats do not
    come here: each kind of event is told once of an action (`engine.events.once`)."""
    if turn.now_ms > shown.worth_until_ms:
        turn.answer({"recorded": False, "reason": "token_expired"})
        return
    place = caps.find(turn.profile, shown.ref)
    in_time = told.at_ms <= shown.expires_ms
    reason = ""
    action = turn.catalog.actions.get(shown.action)
    fatigue.record_exposure(turn, action, told.event)
    is_dismissed = told.event == "dismissed" and not turn.catalog.counts_dismissed
    if is_dismissed:
        if place is not None and not place.left_ms:
            budgets.give_back(turn, place)
            caps.release(turn.profile, shown.ref)
            offers.withdraw(turn, shown.ref)
    elif not in_time:
        reason = "over_exposure"
    elif place is not None and not place.left_ms:
        place.left_ms = max(told.at_ms, place.at_ms)  # a time before the decision comes from a wrong clock
    elif place is None and _is_counted(turn.catalog, shown):
        reason = "over_exposure"
    if not is_dismissed and in_time:
        offers.seen(turn, action, shown.offer, shown.ref, told.at_ms)
    turn.note(
        "exposure",
        f"{shown.action} {told.event}",
        channel=shown.channel,
        action=shown.action,
        outcome=told.event,
        reason=reason,
        detail={"ref": shown.ref, "placement": shown.placement, "at": told.at_ms},
    )
    turn.answer({"recorded": told.event, "reason": reason})


def _is_counted(catalog: Catalog, shown: ShownAction) -> bool:
    action = catalog.actions.get(shown.action)
    if action is None:
        return False
    wanted: Place = caps.place_for(action, shown.channel, shown.ref, 0, placement=shown.placement)
    return caps.is_capped(catalog, wanted)
