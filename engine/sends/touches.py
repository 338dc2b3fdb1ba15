"""How many messages a run has sent: `guards.touches` of its journey bounds them. The branches of a run count in it.

A message counts from its decision on. One that surely did not reach the customer is taken off again.
"""

from __future__ import annotations

from engine.profile import Profile, Run


def root_of(profile: Profile, run: Run) -> Run:
    """The run that a branch belongs to; a run of its own is its own."""
    while run.parent and (parent := next((each for each in profile.runs if each.id == run.parent), None)) is not None:
        run = parent
    return run


def count(profile: Profile, run: Run) -> None:
    """One more message."""
    root_of(profile, run).touches += 1


def take_off(profile: Profile, run_id: str) -> None:
    """A message of a run did not go after all."""
    run = next((each for each in profile.runs if each.id == run_id), None)
    if run is not None:
        root = root_of(profile, run)
        root.touches = max(0, root.touches - 1)
