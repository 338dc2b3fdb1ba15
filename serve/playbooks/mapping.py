"""The shop's own names for the events and properties of a playbook.

`Order Completed=purchase_done` names an event, `Order Completed.order_id=order.number` a property of it, by paths. What
nobody maps keeps its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from engine.catalog import inner_events
from engine.errors import UsageError
from engine.values.nearest import meant
from serve.playbooks.library import Planned

Events = Mapping[str, Planned]

_NAME: Final = r"[^\s\"'`{}$.\[\]][^\"'`{}\[\].\n]*"


@dataclass(slots=True)
class Names:
    """The shop's names. `paths` is by (event, path), both as the playbook names them."""

    events: dict[str, str] = field(default_factory=dict)
    paths: dict[tuple[str, str], str] = field(default_factory=dict)

    def event(self, name: str) -> str:
        """The shop's name for an event."""
        return self.events.get(name, name)

    def path(self, event: str, path: str) -> str:
        """The shop's path for one of an event's: what is mapped of it from its beginning on, the rest as it is."""
        names = path.split(".")
        for length in range(len(names), 0, -1):
            mapped = self.paths.get((event, ".".join(names[:length])))
            if mapped is not None:
                return ".".join((mapped, *names[length:]))
        return path

    def within(self, event: str, home: str, path: str) -> str:
        """The shop's path of something in the items of `home`, as it is named inside such an item."""
        return self.path(event, f"{home}.{path}").removeprefix(f"{self.path(event, home)}.")

    def keeps(self, event: str, path: str = "") -> bool:
        """Whether somebody has said that the playbook's own name is the one that is meant."""
        return self.paths.get((event, path)) == path if path else self.events.get(event) == event

    def __bool__(self) -> bool:
        return bool(self.events or self.paths)


def parse(given: Iterable[str], events: Events) -> Names:
    """The names in options such as `Order Completed=purchase_done`; UsageError for one that cannot be, or that names
    nothing of the playbook."""
    names = Names()
    for option in given:
        ours, equals, theirs = (part.strip() for part in option.partition("="))
        if not (equals and ours and theirs):
            raise UsageError(f'{option!r} is no mapping: "Order Completed=purchase_done" is one', "--map")
        event, path = _found(ours, events)
        key = (event, path) if path else event
        if key in names.paths or key in names.events:
            raise UsageError(f"{ours!r} is mapped twice", "--map")
        if path:
            names.paths[event, path] = _path(theirs)
        else:
            names.events[event] = _event(theirs)
    _check_distinct(names, events)
    return names


def _found(ours: str, events: Events) -> tuple[str, str]:
    """The event, and the path in it where a property is meant."""
    if ours in events:
        return ours, ""
    for event in sorted(events, key=len, reverse=True):
        if ours.startswith(f"{event}."):
            path, known = ours.removeprefix(f"{event}."), list(events[event].paths())
            if path in known:
                return event, path
            raise UsageError(f"the playbook reads no property {path!r} of {event!r}; {meant(path, known)}", "--map")
    raise UsageError(f"the playbook has no event {ours!r}; {meant(ours, events)}", "--map")


def _event(theirs: str) -> str:
    if inner_events.is_reserved(theirs):
        raise UsageError(f"{theirs!r}: names that begin with {inner_events.PREFIX} are the engine's own", "--map")
    return theirs


def _path(theirs: str) -> str:
    if not all(re.fullmatch(_NAME, part) for part in theirs.split(".")):
        raise UsageError(f"{theirs!r} is no path: names with dots between them, without quotes and braces", "--map")
    return theirs


def _check_distinct(names: Names, events: Events) -> None:
    """Two events of a playbook are two events of the shop; their order of happening is what a journey goes by."""
    seen: dict[str, str] = {}
    for event in events:
        theirs = names.event(event)
        if theirs in seen:
            raise UsageError(f"{seen[theirs]!r} and {event!r} cannot both be {theirs!r}", "--map")
        seen[theirs] = event
    for event in events:
        targets: dict[str, str] = {}
        for path in events[event].paths():
            theirs = names.path(event, path)
            if theirs in targets:
                raise UsageError(f"{targets[theirs]!r} and {path!r} of {event!r} cannot both be {theirs!r}", "--map")
            targets[theirs] = path
