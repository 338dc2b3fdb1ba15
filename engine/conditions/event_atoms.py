"""Event atoms: what conditions ask of one kind of event. Equal atoms are one, so events are counted for each once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

from engine.conditions.binding import NEVER, bind_event, names_event
from engine.conditions.value_tests import RULES, Where, build_where, is_about_texts, paths_of
from engine.values.spelling import composed

DETAILS_MAX: Final = 32  # of the events that are not recent, how many a run can ask about with facts of its own


@dataclass(frozen=True, slots=True)
class EventAtom:
    """A question about one kind of event. `keep` is how many matches decide it. Two atoms with one digest ask the same
    of an event. An atom that asks for one text alone has it in `text`, and in `text_at` the event's name and the path.

    An atom that names facts of a run's trigger is open: nothing can be counted for it before there is a run. Its
    `paths` are all that it will look at in an event, and its `where` is the part that needs no run. With the facts put
    in it is another atom, whose `open` is the digest of the open one."""

    name: str
    where: Where
    keep: int
    digest: str
    text_at: tuple[str, str] | None
    text: str
    paths: tuple[tuple[str, ...], ...] = ()
    open: str = ""

    @classmethod
    def of(cls, name: str, where: Mapping[str, Any] | None, keep: int, open_digest: str = "") -> EventAtom:
        """The atom that asks `where` of the events of a name."""
        # Events are counted by the digest. With RULES in it they are counted anew when tests come to mean something
        # else. The meaning of these tests never changed, so their counts stay.
        is_unchanged = is_about_texts(where) and all(map(str.isascii, (where or {}).values()))
        spelled = repr((name, where) if is_unchanged else (name, where, RULES))
        digest = blake2b(spelled.encode(), digest_size=6).hexdigest()
        ((path, text),) = where.items() if where and len(where) == 1 and is_about_texts(where) else (("", ""),)
        if names_event(where):
            return cls._open(name, where or {}, digest)
        return cls(
            name, build_where(where), keep, digest, (name, path) if path else None, composed(text), open=open_digest
        )

    @classmethod
    def _open(cls, name: str, where: Mapping[str, Any], digest: str) -> EventAtom:
        known = {path: test for path, test in where.items() if not names_event(test)}
        return cls(name, build_where(known), DETAILS_MAX, digest, None, "", tuple(paths_of(where)))


def how_many(times: Sequence[int], since_ms: float) -> int:
    """How many of `times`, newest first, are later."""
    count = 0
    for at_ms in times:
        if at_ms <= since_ms:
            break
        count += 1
    return count


def with_trigger(atom: Mapping[str, Any], trigger: Mapping[str, Any]) -> Mapping[str, Any]:
    """An atom with the facts of a run's trigger put in; `NEVER` where it names one that is absent."""
    if not names_event(atom):
        return atom
    ((word, body),) = atom.items()
    bound = bind_event(body, trigger)
    if bound is None:
        return NEVER
    if word == "event":
        bound["open"] = _digest_of(body)
        if names_event(body.get("undone_by")):
            bound["undone_by"]["open"] = _digest_of(body["undone_by"])
    return {word: bound}


def _digest_of(asked: Mapping[str, Any]) -> str:
    """The digest of an open atom; empty for one that names no facts of a run."""
    where = asked.get("where")
    return EventAtom.of(asked["name"], where, 1).digest if names_event(where) else ""
