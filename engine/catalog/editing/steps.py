"""Finds the steps of one version of a journey again in another one.

A step with an id of its own is the one with that id. Any other is known by what it does: the versions are laid side by
side as texts are compared, and what is the same on both sides is the same step. What is left between two such places is
a changed step where its kind and its path in the file are the same.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Any, Final

from engine.catalog.compiled import Action, Catalog, Journey, Step
from engine.catalog.once_per_catalog import once_per_catalog
from engine.catalog.triggers import Trigger
from engine.conditions.predicates import tree_of

# Fields of a step that lead to other steps, which change whenever something is added before those: the first by
# themselves, the others as the last part of each of their parts.
TARGETS: Final = ("on_event", "on_timeout", "target")
WAYS: Final = ("arms", "shares", "branches")
_GOES_ON: Final = ("send", "wait", "update", "webhook", "join")  # to the step behind it
_OWN_ID: Final = str.isalpha  # of the first character: a path begins with a digit


def signature(catalog: Catalog, step: Step) -> Hashable:
    """What a step does, for comparing it with steps of other versions; where it leads to is left out."""
    parts = {each.name: getattr(step, each.name) for each in fields(step) if each.name not in ("id", *TARGETS)}
    parts |= {name: tuple(way[:-1] for way in parts[name]) for name in WAYS if name in parts}
    letters = [_letter(catalog, catalog.actions.get(name)) for name in actions_of(step)]
    return repr((_plain(parts), letters))


def actions_of(step: Step) -> tuple[str, ...]:
    """The actions that a step may send."""
    return step.sending.actions


def leads_to(program: Sequence[Step], position: int) -> set[int]:
    """The positions that a run may come to directly from this one."""
    step = program[position]
    found = {way[-1] for name in WAYS for way in getattr(step, name, ())}
    if step.kind in _GOES_ON:
        return {position + 1}
    if step.kind == "wait_for":
        return {step.on_event, step.on_timeout}
    if step.kind == "goto":
        return {step.target, position + 1}  # behind it, once it was taken as often as it may
    return found if step.kind in ("split", "exit") else found | {step.target}


def _plain(value: Any) -> Any:
    if isinstance(value, Trigger):
        return value.event, _plain(value.tests)
    if callable(value):
        return tree_of(value)
    if is_dataclass(value):
        return [(each.name, _plain(getattr(value, each.name))) for each in fields(value)]
    if isinstance(value, frozenset):
        return sorted(map(str, value))
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {name: _plain(value[name]) for name in sorted(value)}
    return value


def _letter(catalog: Catalog, action: Action | None) -> Any:
    """The texts of a message that stay those of a run's own version."""
    if action is None or action.texts == "current":
        return None
    contents = [(each.id, each.weight, each.content) for each in action.variants]
    named = (text for _, _, content in contents for each in content.values() for text in each.values())
    return contents, [catalog.templates[name] for name in named if isinstance(name, str) and name in catalog.templates]


def pairs(was: Catalog, now: Catalog, journey: str) -> Mapping[int, int]:
    """The positions of a journey's steps in the catalog `now`, by their positions in the catalog `was`."""
    return _paired(_program(was, was.journeys[journey]), _program(now, now.journeys[journey]))


_Line = tuple[str, str, Hashable]  # a step's id, kind and signature


@once_per_catalog
def _programs(_: Catalog) -> dict[str, tuple[_Line, ...]]:
    """What is compared of each journey, as far as it was asked for."""
    return {}


def _program(catalog: Catalog, journey: Journey) -> tuple[_Line, ...]:
    known = _programs(catalog)
    if journey.id not in known:
        known[journey.id] = tuple((step.id, step.kind, signature(catalog, step)) for step in journey.steps)
    return known[journey.id]


@lru_cache(maxsize=256)
def _paired(was: tuple[_Line, ...], now: tuple[_Line, ...]) -> Mapping[int, int]:
    named = {name: position for position, (name, _, _) in enumerate(now) if _OWN_ID(name[:1])}
    found = {position: named[name] for position, (name, _, _) in enumerate(was) if name in named}
    left, right = _without_name(was), _without_name(now)
    blocks = SequenceMatcher(None, [was[at][1:] for at in left], [now[at][1:] for at in right], autojunk=False)
    for one, other, size in blocks.get_matching_blocks():
        found |= {left[one + step]: right[other + step] for step in range(size)}
    for tag, begin, end, other_begin, other_end in blocks.get_opcodes():
        if tag == "replace":
            places = {now[at][:2]: at for at in right[other_begin:other_end]}
            found |= {at: places[was[at][:2]] for at in left[begin:end] if was[at][:2] in places}
    return found


def _without_name(program: tuple[_Line, ...]) -> list[int]:
    return [position for position, (name, _, _) in enumerate(program) if not _OWN_ID(name[:1])]
