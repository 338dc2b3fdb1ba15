"""Puts facts into conditions: of an action, or of the event that started a run.

`$action.x` is replaced by the action's fact once, when a catalog or a plan is made. After that, equal questions of
different actions are one question, and nothing that a condition reads depends on who asks. `$event.x` is replaced when
a run asks (`engine.conditions.predicates`), by the value that the event that started it has at a path. A fact that is
absent makes its atom false. A value that was put in is never read as a name again, whatever a customer wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from engine.conditions.value_tests import number_of
from engine.values.absence import is_absent
from engine.values.paths import values_at

ACTION_FACT: Final = "$action."
EVENT_FACT: Final = "$event."
NEVER: Final[Mapping[str, Any]] = {"any": []}  # an atom about a fact that is not there

Tree = Mapping[str, Any]


class Said(str):
    """A fact's value that looks like the name of a fact, and must not be read as one. It equals the plain text."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Unlike that of the plain text, because conditions of equal `repr` are taken for one (`predicates.build`)."""
        return f"Said({super().__repr__()})"


def bind(tree: Tree | None, facts: Mapping[str, Any]) -> Tree | None:
    """The tree with the facts of one action in it; None stays None."""
    if tree is None:
        return None
    ((word, body),) = tree.items()
    if word in ("all", "any"):
        return {word: [bind(part, facts) for part in body]}
    if word == "not":
        return {word: bind(body, facts)}
    try:
        return {word: _with_facts(body, facts)}
    except KeyError:
        return NEVER


def bind_event(body: Any, trigger: Mapping[str, Any]) -> Any:
    """An atom's body, or the tests of a `where`, with the facts of the event that started a run in it; None where one
    of them is absent."""
    try:
        return _with_event(body, trigger)
    except KeyError:
        return None


def names_event(body: Any) -> bool:
    """Whether a part of a condition names a fact of the event that started a run."""
    if isinstance(body, str):
        return _is_name(body, EVENT_FACT)
    parts = body.values() if isinstance(body, Mapping) else body if isinstance(body, list | tuple) else ()
    return any(map(names_event, parts))


def absent_facts(body: Any, facts: Mapping[str, Any], trigger: Mapping[str, Any]) -> set[str]:
    """The facts that a part of a condition names and that are not there."""
    if isinstance(body, str):
        of_action = _is_name(body, ACTION_FACT) and body.removeprefix(ACTION_FACT) not in facts
        return {body} if of_action or (names_event(body) and not _event_values(body, trigger)) else set()
    parts = body.values() if isinstance(body, Mapping) else body if isinstance(body, list | tuple) else ()
    return {name for part in parts for name in absent_facts(part, facts, trigger)}


def inline(tree: Tree | None, rules: Mapping[str, Tree]) -> Tree | None:
    """The tree with each `suppression` replaced by the tree of that rule. It ends, because the check refuses rules that
    need themselves."""
    if tree is None:
        return None
    ((word, body),) = tree.items()
    if word in ("all", "any"):
        return {word: [inline(part, rules) for part in body]}
    if word == "not":
        return {word: inline(body, rules)}
    return inline(rules[body], rules) if word == "suppression" else tree


def conjuncts(tree: Tree | None) -> list[Tree]:
    """The parts that must all hold, none of them an `all` itself."""
    if tree is None:
        return []
    ((word, body),) = tree.items()
    return [part for inner in body for part in conjuncts(inner)] if word == "all" else [tree]


def _with_facts(body: Any, facts: Mapping[str, Any]) -> Any:
    """Raises KeyError where a fact is absent."""
    if isinstance(body, str):
        return _literal(facts[body.removeprefix(ACTION_FACT)]) if _is_name(body, ACTION_FACT) else body
    if isinstance(body, Mapping):
        return {key: _with_facts(part, facts) for key, part in body.items()}
    return [_with_facts(part, facts) for part in body] if isinstance(body, list | tuple) else body


def _with_event(body: Any, trigger: Mapping[str, Any]) -> Any:
    """Raises KeyError where nothing is at a path. A fact of several values becomes a list of them; in a list its values
    are members like the others."""
    if isinstance(body, Mapping):
        return {key: _with_event(part, trigger) for key, part in body.items()}
    if isinstance(body, list | tuple):
        parts = [_with_event(part, trigger) for part in body]
        return [member for part in parts for member in (part if isinstance(part, list) else [part])]
    if not isinstance(body, str) or not names_event(body):
        return body
    found = _event_values(body, trigger)
    if not found:
        raise KeyError(body)
    return found if len(found) > 1 else found[0]


def _event_values(fact: str, trigger: Mapping[str, Any]) -> list[Any]:
    """The values that a trigger has at a path. A text that spells a number is also that number, because ids come in
    both ways."""
    path = tuple(fact.removeprefix(EVENT_FACT).split("."))
    found: list[Any] = []
    for value in values_at(trigger, path):
        if isinstance(value, str | int | float) and not is_absent(value):
            number = number_of(value)
            found += [_literal(value)] if number is None or number is value else [value, number]
    # Each once, by class too: to Python 1, 1.0 and True are equal.
    return list({(value.__class__, value): value for value in found}.values())


def _literal(value: Any) -> Any:
    """A fact's value, marked where it could be read as a name."""
    return Said(value) if isinstance(value, str) and value.startswith((ACTION_FACT, EVENT_FACT)) else value


def _is_name(text: str, of: str) -> bool:
    return text.startswith(of) and not isinstance(text, Said)
