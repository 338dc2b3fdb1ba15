"""Puts the shop's names into a file of a playbook, and finds each place at which it names an event or a property.

Where events stand is a matter of the files' grammar: `event` of a trigger or a wait, `on` of a stop, `name` in a
condition …; the tests of a `where` beside it are on that event's properties. `$event.path` and `event.path` in texts
are properties of what began the journey, so they are about every trigger that may lead there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from engine.catalog.problems import Loc
from engine.conditions.binding import EVENT_FACT
from serve.playbooks import text_paths
from serve.playbooks.mapping import Events, Names
from serve.playbooks.places import Place, line_of

_EDGES: Final = ("enter", "exit")  # of a segment, where a stop has an event
_NAMED: Final = ("event", "undone_by", "count")  # in these, `name` is an event
_TEXTS: Final = frozenset(("variants", "body", "default", "headers"))  # here keys are the shop's own
_ITEM_PATHS: Final = ("product", "sku", "variant", "category", "discount", "quantity")


class Renamer:
    """Renames one file's tree in place. `begun_by`: the events whose properties `event.…` reads there."""

    def __init__(self, file: str, names: Names, events: Events, begun_by: Iterable[str]) -> None:
        self.file, self.names, self.events, self.begun_by = file, names, events, list(begun_by)
        self.places: list[Place] = []
        self.problems: list[str] = []

    def rename(self, tree: Any) -> None:
        """Rename everything in the tree of a YAML file."""
        if not isinstance(tree, CommentedMap):
            return
        if self.file.startswith("journeys/") and isinstance(tree.get("key"), str) and self.begun_by:
            tree["key"] = self._key(tree)
        if self.file == "consent.yaml" and "events" in tree:
            self._events(tree, "events", 1, ())
        if self.file == "policies.yaml" and isinstance(tree.get("purchases"), CommentedMap):
            self._purchases(tree["purchases"])
        self._node(tree, (), 1)

    def text(self, text: str, line: int = 1, loc: Loc = ()) -> str:
        """Rename what a template or a text with expressions reads of the event."""

        def path_of(path: str, at_line: int, home: str) -> str:
            found = {self._read(event, path, line + at_line, loc, home) for event in self.begun_by}
            if len(found) > 1:
                begun = " and of ".join(self.begun_by)
                message = f"event.{path} is read of {begun}, which name it differently: map both to one name"
                self.problems.append(Place(self.file, line + at_line, loc, "").problem(message))
            return next(iter(found), path)

        return text_paths.rewritten(text, path_of)

    # -- the walk

    def _node(self, node: Any, loc: Loc, line: int) -> None:
        if isinstance(node, CommentedMap):
            if not _TEXTS & set(map(str, loc)):
                self._own_event(node, loc, line)
            children: Iterable[tuple[Any, Any]] = list(node.items())
        elif isinstance(node, CommentedSeq):
            children = list(enumerate(node))
        else:
            return
        for key, child in children:
            at = line_of(node, key, line)
            if isinstance(child, str):
                node[key] = self._scalar(child, at, (*loc, key))
            else:
                self._node(child, (*loc, key), at)

    def _scalar(self, text: str, line: int, loc: Loc) -> str:
        if text.startswith(EVENT_FACT):
            path = text.removeprefix(EVENT_FACT)
            return _like(text, EVENT_FACT + self._common(path, line, loc))
        return _like(text, self.text(text, line, loc)) if "{{" in text or "{%" in text else text

    def _common(self, path: str, line: int, loc: Loc) -> str:
        found = {self._path(event, path, line, loc) for event in self.begun_by}
        return next(iter(found)) if len(found) == 1 else path

    def _own_event(self, node: CommentedMap, loc: Loc, line: int) -> None:
        """Rename the event that a mapping names, and the properties of it that its `where` tests."""
        event = ""
        parent = loc[-1] if loc else ""
        for key in ("event", "on", "name"):
            value = node.get(key)
            if not isinstance(value, str) or value in _EDGES or (key == "name" and parent not in _NAMED):
                continue
            if key == "on" and "send" in map(str, loc):
                continue
            event = value
            node[key] = _like(value, self._event(value, line_of(node, key, line), (*loc, key)))
        if "reset_on" in node:
            self._events(node, "reset_on", line, loc)
        if event and isinstance(node.get("where"), CommentedMap):
            self._where(node["where"], event, (*loc, "where"))
        if event and parent == "interested" and isinstance(node.get("id"), str):
            node["id"] = self._path(event, node["id"], line_of(node, "id", line), (*loc, "id"))

    def _key(self, tree: CommentedMap) -> str:
        """The shop's path of a journey's key. Stops and waits find it at the same path of their own events."""
        begins, key, line = self.begun_by[0], str(tree["key"]), line_of(tree, "key", 1)
        theirs = self._path(begins, key, line, ("key",))
        for event, planned in self.events.items():
            if key in planned.paths() and (other := self.names.path(event, key)) != theirs:
                mapping = f'--map "{event}.{key}={theirs}"'
                message = f"is {theirs!r} in {begins!r} and {other!r} in {event!r}, and a key has one path: {mapping}"
                self.problems.append(Place(self.file, line, ("key",), event, key).problem(message))
        return theirs

    def _where(self, where: CommentedMap, event: str, loc: Loc) -> None:
        for path in list(where):
            if isinstance(path, str):
                theirs = self._path(event, path, line_of(where, path, 1), (*loc, path))
                if theirs != path:
                    _rename_key(where, path, theirs)

    def _events(self, node: CommentedMap, key: str, line: int, loc: Loc) -> None:
        named, at = node[key], line_of(node, key, line)
        if isinstance(named, str):
            node[key] = _like(named, self._event(named, at, (*loc, key)))
        elif isinstance(named, CommentedSeq):
            for i, name in enumerate(named):
                named[i] = _like(name, self._event(str(name), line_of(named, i, at), (*loc, key, i)))

    def _purchases(self, node: CommentedMap) -> None:
        event, items = node.get("event"), node.get("items")
        if not isinstance(event, str) or not isinstance(items, str):
            return
        line = line_of(node, "event", 1)
        for key in _ITEM_PATHS:
            if isinstance(node.get(key), str):
                self._path(event, f"{items}.{node[key]}", line, ("purchases", key))
                node[key] = self.names.within(event, items, node[key])
        for key in ("items", "order"):
            if isinstance(node.get(key), str):
                node[key] = self._path(event, node[key], line, ("purchases", key))
        if isinstance(node.get("undone_by"), str):
            node["undone_by"] = self._event(node["undone_by"], line, ("purchases", "undone_by"))

    # -- names

    def _event(self, event: str, line: int, loc: Loc) -> str:
        self.places.append(Place(self.file, line, loc, event))
        return self.names.event(event)

    def _path(self, event: str, path: str, line: int, loc: Loc) -> str:
        self.places.append(Place(self.file, line, loc, event, path))
        return self.names.path(event, path)

    def _read(self, event: str, path: str, line: int, loc: Loc, home: str) -> str:
        """The shop's path for what a text reads. More may follow a property: `event.name.upper()`."""
        known = set(self.events[event].paths()) if event in self.events else set()
        parts, before = path.split("."), f"{home}." if home else ""
        length = next((n for n in range(len(parts), 0, -1) if before + ".".join(parts[:n]) in known), len(parts))
        own = ".".join(parts[:length])
        self.places.append(Place(self.file, line, loc, event, before + own))
        theirs = self.names.within(event, home, own) if home else self.names.path(event, own)
        return ".".join((theirs, *parts[length:]))


def _like(text: str, new: str) -> str:
    """The new text in the quotes of the old one."""
    return type(text)(new) if text != new else text


def _rename_key(node: CommentedMap, old: str, new: str) -> None:
    position, comment = list(node).index(old), node.ca.items.pop(old, None)
    value = node.pop(old)
    node.insert(position, new, value)
    if comment is not None:
        node.ca.items[new] = comment
