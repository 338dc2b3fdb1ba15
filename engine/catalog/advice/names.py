"""Doubts about names that clients send: an event, a trait or a property that is nearly another one, or in no plan.

Known names are those of the tracking plan, those of Segment's specifications, and those that the catalog itself uses
more often.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from jinja2 import TemplateError

from engine.catalog.advice import well_known
from engine.catalog.checks import foreign_tags
from engine.catalog.checks.known_names import Use, planned, uses
from engine.catalog.checks.paths import without_root
from engine.catalog.checks.suggest import nearest_event, nearest_field
from engine.catalog.document import Document, in_folder, texts
from engine.catalog.models import Models, of_kind
from engine.catalog.problems import Loc, Problem
from engine.catalog.schema.tracking_plan import TrackingPlan
from engine.texts.language import facts_of

_OURS = frozenset(("Identified",))  # the engine's own name for events of kind `identify`


def event_doubts(document: Document, models: Models) -> Iterator[Problem]:
    """Events that no plan knows, and events that are nearly another one."""
    plan, used = planned(document), [use for use in uses(document) if use.kind == "event"]
    counts = Counter(use.name for use in used)
    mode = next((plan_file.unknown for _, plan_file in of_kind(models, TrackingPlan)), "allow")
    for use in used:
        is_spec = use.name in well_known.EVENTS and mode == "allow"
        if use.name in plan or use.name in _OURS or is_spec:
            continue
        near = nearest_event(use.name, plan) or nearest_event(use.name, well_known.EVENTS)
        if plan:
            message = f"{use.name!r} is no event of the tracking plan{_meant(near)}"
            yield Problem(use.file, use.loc, message)
        elif other := near or nearest_event(use.name, _commoner_ones(use.name, counts)):
            yield Problem(use.file, use.loc, f"no event is known as {use.name!r}{_meant(other)}")


def trait_doubts(document: Document, models: Models) -> Iterator[Problem]:
    """Traits that are nearly another one."""
    used = [(use.file, use.loc, use.name, 0) for use in _rooted(document, "trait")]
    used += [(file, loc, path, line) for file, loc, root, path, line in _of_templates(document) if root == "traits"]
    yield from _near(used, well_known.SNAKE_TRAITS, well_known.TRAITS, "traits.")


def property_doubts(document: Document, models: Models) -> Iterator[Problem]:
    """Properties that the plan's schema of their event does not have, or that are nearly another one."""
    plan = planned(document)
    rest = []
    for use in _rooted(document, "property"):
        properties = plan.get(use.event, {}).get("properties") if isinstance(plan.get(use.event), Mapping) else None
        if isinstance(properties, Mapping) and properties:
            if use.name.split(".")[0] not in properties:
                near = nearest_field(use.name, properties)
                yield Problem(
                    use.file, use.loc, f"{use.name!r} is no property of {use.event} in the tracking plan{_meant(near)}"
                )
        else:
            rest.append((use.file, use.loc, use.name, 0))
    planned_names = {name for schema in plan.values() for name in _properties(schema)}
    rest += [(file, loc, path, line) for file, loc, root, path, line in _of_templates(document) if root == "event"]
    first = {*well_known.SNAKE_PROPERTIES, *planned_names}
    yield from _near(rest, first, {*well_known.PROPERTIES, *planned_names}, "event.")


def _rooted(document: Document, kind: str) -> list[Use]:
    """The uses of a kind, but for those with a root too many, which `path_doubts` speaks of."""
    return [use for use in uses(document) if use.kind == kind and not without_root(use.name)]


def _near(
    used: list[tuple[str, Loc, str, int]], first: Collection[str], known: Collection[str], root: str
) -> Iterator[Problem]:
    """`used` are (file, place, dotted path, line). A name of `first` is proposed before another `known` one."""
    counts = Counter(path.split(".")[0] for _, _, path, _ in used)
    for file, loc, path, line in used:
        name = path.split(".")[0]
        if name not in known:
            other = nearest_field(name, first) or nearest_field(name, known)
            other = other or nearest_field(name, _commoner_ones(name, counts))
        else:  # two ways to write one name
            other = next((each for each in _commoner_ones(name, counts) if _folded(each) == _folded(name)), None)
        if other:
            yield Problem(file, loc, f"nothing is known as {root}{name}{_meant(other)}", line)


def _commoner_ones(name: str, counts: Mapping[str, int]) -> list[str]:
    """The names that the catalog uses more often than this one. Of two that are used equally often the one that comes
    first by alphabet is doubted, never both."""
    return [other for other, count in counts.items() if (count, other) > (counts[name], name)]


def root_doubts(document: Document, models: Models) -> Iterator[Problem]:
    """Templates that look for what is in an event, or among the traits, one step too deep."""
    for file, loc, root, name, line in _of_templates(document):
        if name in ("properties", "traits", "context") and not any(
            name in _properties(s) for s in planned(document).values()
        ):
            yield Problem(file, loc, f"{root}.{name} is hardly there: write {root}. and the name alone", line)


def foreign_doubts(document: Document, models: Models) -> Iterator[Problem]:
    """Tags of other systems, which would be sent as they stand. The content for a page is not looked at: it may hold
    tags of the page's own."""
    for file, loc, text in _all_texts(document):
        for tag, line in foreign_tags.unread(text) if "content" not in loc else ():
            message = f"{tag} is sent as it stands: what is known of a customer is written {{{{ traits.… }}}}"
            yield Problem(file, loc, message, line if loc == ("template",) else 0)


def _meant(near: Any) -> str:
    return f", did you mean {near!r}?" if near else ""


def _folded(name: str) -> str:
    return name.lower().replace("_", "")


def _properties(schema: Any) -> Collection[str]:
    found = schema.get("properties") if isinstance(schema, Mapping) else None
    return found if isinstance(found, Mapping) else ()


def _of_templates(document: Document) -> Iterator[tuple[str, Loc, str, str, int]]:
    """(file, place, `traits` or `event`, the name behind it, line) of every use in a template or a text."""
    for file, loc, text in _all_texts(document):
        for root, name, line in _names_in(text):
            yield file, loc, root, name, line if loc == ("template",) else 0


def _all_texts(document: Document) -> Iterator[tuple[str, Loc, str]]:
    """Every template, and every text of an action."""
    for file, text in document.items():
        if file.startswith("templates/") and isinstance(text, str):
            yield file, ("template",), text
    for file, action in in_folder(document, "actions").items():
        for loc, text in texts(action.get("variants"), ("variants",)):
            yield file, loc, text


def _names_in(text: str) -> Iterator[tuple[str, str, int]]:
    if "{" not in text:
        return
    try:
        yield from facts_of(text).uses
    except (TemplateError, RecursionError):
        return
