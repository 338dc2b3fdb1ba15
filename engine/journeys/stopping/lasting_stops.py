"""Stops that hold for as long as something is so: a trait has a value, a time has come.

Nothing of theirs waits for a timer. Whatever a run does, it does in a turn, and every turn begins by ending the runs
that such a stop covers. While it holds nobody enters, and no message of its tier is decided.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from engine.catalog.compiled import Catalog
from engine.catalog.once_per_catalog import once_per_catalog
from engine.catalog.triggers import LastingStop
from engine.profile import Profile, Run
from engine.view import View


def over(profile: Profile, catalog: Catalog, run: Run, now_ms: int) -> str:
    """The reason of the first stop that holds of a run, a global one or its journey's own; empty without."""
    journey = catalog.of_version(run.version).journeys.get(run.journey)
    own = journey.lasting_stops if journey is not None else ()
    if not own and not catalog.lasting_stops:
        return ""
    for_all = [rule for rule in catalog.lasting_stops if rule.tier in (None, run.tier)]
    return _first(profile, catalog, run, now_ms, (*for_all, *own))


def are_any(catalog: Catalog) -> bool:
    """Whether a catalog, or an older one that runs name, has any such stop. Where none has, no run is asked."""
    return _has_any(catalog) or any(map(_has_any, catalog.archive.values()))


@once_per_catalog
def _has_any(catalog: Catalog) -> bool:
    return bool(catalog.lasting_stops) or any(journey.lasting_stops for journey in catalog.journeys.values())


def of_tiers(profile: Profile, catalog: Catalog, run: Run, now_ms: int, tiers: Collection[str]) -> str:
    """The reason of the first stop of one of `tiers` that holds of a run; empty without."""
    rules = [rule for rule in catalog.lasting_stops if rule.tier in tiers]
    return _first(profile, catalog, run, now_ms, rules) if rules else ""


def _first(profile: Profile, catalog: Catalog, run: Run, now_ms: int, rules: Iterable[LastingStop]) -> str:
    view = View(profile, catalog, now_ms, trigger=run.trigger)
    return next((f"stop.{rule.id}" for rule in rules if _holds(view, run, rule)), "")


def _holds(view: View, run: Run, rule: LastingStop) -> bool:
    if rule.holds is not None:
        return rule.holds(view)
    return view.now_ms >= (rule.at_ms or run.entered_ms + rule.after_ms)
