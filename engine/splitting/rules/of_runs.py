"""What each of two profiles gets back of runs.

A run and its branches are one family: a run waits for its branches, so they are parted together. A family goes back to
where it was before the merge, unless it has gone on since: then all of it stays where it is now, because a message of
it may have left.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import msgspec

from engine.catalog.compiled import Catalog
from engine.catalog.triggers import Edge
from engine.journeys import life
from engine.profile import Profile, Run
from engine.splitting.case import Case, keyed, root_in
from engine.splitting.three_way import parted


def runs(case: Case, name: str) -> None:
    """A run goes on where it is now. One that is where the merge put it goes back to where it was before; one that the
    merge ended goes on."""
    now, after, before, other = (keyed(profile.runs, _id) for profile in case.states)
    gone_on = went_on(case.now, case.after, case.withdrawn)

    def is_back(run: str) -> bool:
        return case.root(run) not in gone_on

    shown = {run: known for run, known in after.items() if is_back(run)}
    now |= shown  # one that the merge ended may have been forgotten since
    mine, theirs = parted(
        now,
        shown,
        _kept(before, now, is_back),
        _kept(other, now, is_back),
        lambda _, run: case.run_side(run.id, run.by),
    )
    life.part(case.mine, mine.values())
    life.part(case.theirs, theirs.values())


def _kept(own: Mapping[str, Run], now: Mapping[str, Run], is_back: Callable[[str], bool]) -> dict[str, Run]:
    """Those of one side's own runs that have not come to their end since."""
    return {run: known for run, known in own.items() if run in now or is_back(run)}


def went_on(now: Profile, after: Profile, withdrawn: Collection[str] = ()) -> set[str]:
    """The runs that have gone on since a merge, or a branch of which has: they have changed, or a send of them was
    settled. Sends that the split itself has `withdrawn` do not count."""
    here, was, root = keyed(now.runs, _id), keyed(after.runs, _id), root_in(now, after)
    known = {*withdrawn, *(send.id for send in now.sends)}
    changed = [run for run in here | was if not _is_as_it_was(here.get(run), was.get(run))]
    settled = [send.run for send in after.sends if send.id not in known]
    return {root(run) for run in (*changed, *settled)}


def begun_by(before: Profile, other: Profile, after: Profile, catalog: Catalog) -> set[str]:
    """The runs that a merge itself has begun: for a segment that both together have entered or left."""
    own = {run.id for profile in (before, other) for run in profile.runs}
    return {run.id for run in after.runs if run.id not in own and not run.parent and _is_of_a_segment(catalog, run)}


def _is_of_a_segment(catalog: Catalog, run: Run) -> bool:
    journey = catalog.of_version(run.version).journeys.get(run.journey)
    return journey is not None and isinstance(journey.begins, Edge)


def _is_as_it_was(run: Run | None, was: Run | None) -> bool:
    """Whether nothing has become of a run since. That an ended one, or what began it, was forgotten is no change."""
    if was is None or not was.ended_ms:
        return run == was
    return run is None or msgspec.structs.replace(run, trigger=was.trigger) == was


def _id(run: Run) -> str:
    return run.id
