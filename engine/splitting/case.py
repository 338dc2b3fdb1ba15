"""The states that a split compares, and the rules by which a collection of any kind is parted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from engine.catalog.compiled import Catalog
from engine.profile import Profile
from engine.splitting.sides import Side, Sides
from engine.splitting.three_way import parted


@dataclass
class Case:
    """The four states, and the two that are made of them: `mine` and `theirs` begin as they were before the merge.
    `loose` lists what no identifier came with, by kinds."""

    catalog: Catalog
    merge_id: str
    now: Profile
    after: Profile
    before: Profile
    other: Profile
    mine: Profile
    theirs: Profile
    sides: Sides
    withdrawn: frozenset[str] = frozenset()  # sends, by the split itself
    loose: dict[str, list[str]] = field(default_factory=dict)
    _known: dict[tuple[str, str], Side] = field(default_factory=dict)

    @property
    def states(self) -> tuple[Profile, Profile, Profile, Profile]:
        """Now, after the merge, and both before it."""
        return self.now, self.after, self.before, self.other

    def owner(self, by: Sequence[str], kind: str, name: str) -> Side:
        """Whose something is that came with these places; where they do not tell, what the policy says, and it is
        listed."""
        side = self.sides.of(by)
        if side is None:
            side = self.sides.unidentified
            self.loose.setdefault(kind, []).append(name)
        return side

    def owner_at(self, at_ms: int, kind: str, name: str) -> Side:
        """Whose something is that the event of an instant has made."""
        told = next((event for event in reversed(self.now.history) if event.at_ms == at_ms), None)
        return self.owner(told.by if told is not None else (), kind, name)

    def run_side(self, run: str, by: Sequence[str] = ()) -> Side:
        """Whose a run is: that of the profile that had it, else by its trigger. It is never of both: its messages would
        be sent twice. A branch goes where the run goes that it is of."""
        run = self.root(run)
        for profile, side in ((self.other, Side.THEIRS), (self.before, Side.MINE)):
            if any(known.id == run for known in profile.runs):
                return side
        known = self._known.get(("run", run))
        if known is None:
            known = self.owner(by, "runs", run)
            known = self._known["run", run] = Side.MINE if known is Side.BOTH else known
        return known

    @cached_property
    def root(self) -> Callable[[str], str]:
        """The run that a branch is of; a run itself where it is none."""
        return root_in(*self.states)


def root_in(*profiles: Profile) -> Callable[[str], str]:
    """The same by what these profiles know of branches: one that has ended is forgotten at once."""
    parents = {run.id: run.parent for profile in profiles for run in profile.runs if run.parent}

    def _root(run: str) -> str:
        while run in parents:
            run = parents[run]
        return run

    return _root


Rule = Callable[[Case, str], None]


def mapping(owner: Callable[[Case, str, Any], Side]) -> Rule:
    """The rule of a mapping: what has changed of it goes where `owner` says."""

    def rule(case: Case, name: str) -> None:
        now, after, before, other = (getattr(profile, name) for profile in case.states)
        mine, theirs = parted(now, after, before, other, lambda key, value: owner(case, key, value))
        setattr(case.mine, name, mine)
        setattr(case.theirs, name, theirs)

    return rule


def listing(
    key: Callable[[Any], Any], owner: Callable[[Case, Any], Side], order: Callable[[Any], Any] | None = None
) -> Rule:
    """The rule of a list, whose rows have a `key`; new ones go to their place in the `order`."""

    def rule(case: Case, name: str) -> None:
        now, after, before, other = (keyed(getattr(profile, name), key) for profile in case.states)
        both = parted(now, after, before, other, lambda _, value: owner(case, value))
        for profile, found in zip((case.mine, case.theirs), both, strict=True):
            rows = [*found.values()]
            is_new = found.keys() != keyed(getattr(profile, name), key).keys()
            setattr(profile, name, sorted(rows, key=order) if order is not None and is_new else rows)

    return rule


def keyed(rows: Sequence[Any], key: Callable[[Any], Any]) -> dict[Any, Any]:
    """The rows of a list by their keys."""
    return {key(row): row for row in rows}
