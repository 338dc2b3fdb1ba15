"""Guesses the word that was meant: the nearest of those that there are, or of the fields that a place in a file has."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from typing import Any, Final, get_args, get_type_hints

from engine.catalog.problems import Loc
from engine.catalog.schema.grammar import Model
from engine.values.nearest import nearest

_EVENTS: Final = 0.85  # higher than for other words: event names that are alike may well be two
_FIELDS: Final = 0.8
_SHORT: Final = 5  # shorter names are near one another by chance
# Words of other systems, or of daily life, and the fields that they may mean here.
_SYNONYMS: Final = {
    "title": ("subject",),
    "headline": ("subject", "title"),
    "message": ("text", "body"),
    "html": ("template",),
    "delay": ("wait",),
    "sleep": ("wait",),
    "email": ("send",),
    "if": ("branch", "when"),
    "filter": ("where", "eligible"),
    "conditions": ("eligible", "when"),
    "equals": ("is",),
    "eq": ("is",),
    "gte": ("at_least",),
    "gt": ("more_than",),
    "lte": ("at_most",),
    "lt": ("less_than",),
    "min": ("at_least",),
    "max": ("at_most",),
    "contains": ("is", "some"),
    "since": ("within",),
    "last": ("within",),
    "and": ("all",),
    "or": ("any",),
    "duration": ("for",),
    "goal": ("stops",),
    "exit_on": ("stops",),
    "from": ("sender",),
    "to": ("until", "address"),
    "event": ("on",),
    "type": ("provider", "tier"),
}


def nearest_event(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` is probably a slip for; None where there is none. Names that differ in a digit are two
    names (`Step 1`, `Step 2`)."""
    return nearest(name, (other for other in sorted(known) if _digits(other) == _digits(name)), _EVENTS)


def nearest_field(name: str, known: Iterable[str]) -> str | None:
    """The same for traits and properties. A singular and its plural are two names. Short names are slips only where
    they differ in case, `_`, `-` or spaces alone."""
    other = nearest(name, (other for other in sorted(known) if _digits(other) == _digits(name)), _FIELDS)
    if other is None or _plain(name) == _plain(other):
        return other
    is_plural = {f"{name}s", f"{other}s"} & {name, other}
    return None if is_plural or min(len(name), len(other)) < _SHORT else other


def did_you_mean(word: str, known: Collection[str]) -> str:
    """`, did you mean 'wait'?`; empty where nothing is near."""
    near = nearest(word, sorted(known)) or next((other for other in _SYNONYMS.get(word, ()) if other in known), None)
    return f", did you mean {near!r}?" if near else ""


def fields_at(model: type[Model], loc: Loc) -> set[str]:
    """The fields that the mapping at `loc` (as pydantic has it, tags and all) may have."""
    reached = {model}
    for step in loc:
        inner = {found for one in reached for found in _behind(one, step)}
        tagged = {one for one in reached if isinstance(step, str) and step.startswith("<") and _is_tagged(one, step)}
        reached = inner or tagged or reached
    return {name for one in reached for name in _aliases(one)}


def _behind(model: type[Model], step: str | int) -> Iterator[type[Model]]:
    for name, field in model.model_fields.items():
        if (field.alias or name) == step:
            yield from _models_in(_annotations(model)[name])


@lru_cache
def _annotations(model: type[Model]) -> dict[str, Any]:
    return get_type_hints(model, include_extras=True)


def _models_in(annotation: Any) -> Iterator[type[Model]]:
    """The models that an annotation leads to through lists, mappings and unions."""
    if isinstance(annotation, type) and issubclass(annotation, Model):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _is_tagged(model: type[Model], tag: str) -> bool:
    """Whether a tag may be this model's: that of a provider, or of the one word that it is about."""
    word = tag.strip("<>")
    provider = model.model_fields.get("provider")
    if provider is not None:
        return model.__name__.lower().startswith({"none": "asked"}.get(word, word))
    return word in _aliases(model)


def _aliases(model: type[Model]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _plain(word: str) -> str:
    return "".join(word.casefold().replace("_", "").replace("-", "").split())


def _digits(word: str) -> str:
    return "".join(char for char in word if char.isdigit())
