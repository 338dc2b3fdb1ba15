"""The names that a catalog uses for what clients send: events, their properties, traits. Each with its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from engine.catalog.compiled import Catalog
from engine.catalog.document import Document, in_folder, items
from engine.catalog.problems import Loc
from engine.catalog.schema.files import is_beside_models

Kind = Literal["event", "trait", "property"]
_DAY = "2026-05-04"  # an example of a trait that names a day
Fact = tuple[str, list[str], str, Any]  # (`traits` or `event`, path, kind or nothing, an example)


@dataclass(frozen=True, slots=True)
class Use:
    """`name` is a dotted path, but of an event. `event` is the one that a property is of; `test` is what is asked."""

    kind: Kind
    file: str
    loc: Loc
    name: str
    event: str = ""
    test: Any = None


def uses(document: Document) -> Iterator[Use]:
    """Every place in the catalog that uses a name that clients send, by file; steps and settings come last."""
    for file, data in document.items():
        if not file.startswith("templates/") and file != "tracking_plan.yaml" and not is_beside_models(file):
            yield from _in(file, data, ())
    yield from _of_journeys(document)
    yield from _of_settings(document)


def planned(document: Document) -> Mapping[str, Any]:
    """The events of the tracking plan, with the JSON Schemas of their properties."""
    plan = document.get("tracking_plan.yaml")
    events = plan.get("events") if isinstance(plan, Mapping) else None
    return {
        name: (each.get("schema") or {}) if isinstance(each, Mapping) else {}
        for name, each in (events.items() if isinstance(events, Mapping) else ())
    }


def facts(catalog: Catalog) -> Iterator[Fact]:
    """The names whose values conditions and the tracking plan tell something of; the kinds are `number`, `text` and
    `flag`."""
    document: Document = msgspec.msgpack.decode(catalog.document)
    for use in uses(document):
        if use.kind != "event":
            example = _example(use.test)
            yield "traits" if use.kind == "trait" else "event", use.name.split("."), _kind(example), example
    for schema in planned(document).values():
        properties = schema.get("properties") if isinstance(schema, Mapping) else None
        for name, each in properties.items() if isinstance(properties, Mapping) else ():
            declared = each.get("type") if isinstance(each, Mapping) else None
            kinds = {"number": "number", "integer": "number", "string": "text", "boolean": "flag"}
            yield "event", [name], kinds.get(declared, "") if isinstance(declared, str) else "", None


def _in(file: str, data: Any, loc: Loc) -> Iterator[Use]:
    """The names that conditions and scores use, wherever these stand."""
    if isinstance(data, list):
        for i, value in enumerate(data):
            yield from _in(file, value, (*loc, i))
    if not isinstance(data, Mapping):
        return
    for key, value in data.items():
        at = (*loc, key)
        if key == "trait" and isinstance(value, str):
            yield Use("trait", file, at, value, test=_DAY if loc[-1:] == ("date",) else 1.0)
        elif key == "trait" and isinstance(value, Mapping) and isinstance(value.get("name"), str):
            yield Use("trait", file, (*at, "name"), value["name"], test=value)
        elif key in ("event", "count", "undone_by") and isinstance(value, Mapping) and "name" in value:
            yield from _event(file, at, value, "name")
            yield from _in(file, value.get("undone_by") and {"undone_by": value["undone_by"]}, at)
        elif key not in ("variants", "where"):  # content holds no conditions; tests were read with their event
            yield from _in(file, value, at)


def _event(file: str, loc: Loc, data: Mapping[str, Any], key: str) -> Iterator[Use]:
    """An event under `key`, with the properties that `where` beside it asks about."""
    name = data.get(key)
    if not isinstance(name, str):
        return
    yield Use("event", file, (*loc, key), name)
    where = data.get("where")
    for path, test in where.items() if isinstance(where, Mapping) else ():
        yield Use("property", file, (*loc, "where", path), path, name, test)


def _of_journeys(document: Document) -> Iterator[Use]:
    for file, journey in in_folder(document, "journeys").items():
        trigger = journey.get("trigger")
        if isinstance(trigger, Mapping):
            yield from _event(file, ("trigger",), trigger, "event")
            if isinstance(journey.get("key"), str) and isinstance(trigger.get("event"), str):
                yield Use("property", file, ("key",), journey["key"], trigger["event"])
            yield from _of_interested(file, trigger)
        for i, stop in items(document, file, "stops"):
            yield from _event(file, ("stops", i), stop, "on")
        if isinstance(journey.get("outcome"), Mapping):
            yield from _event(file, ("outcome",), journey["outcome"], "event")
        yield from _of_steps(file, journey.get("steps"), ("steps",))


def _of_interested(file: str, trigger: Mapping[str, Any]) -> Iterator[Use]:
    thing = trigger.get("thing")
    interested = thing.get("interested") if isinstance(thing, Mapping) else None
    if isinstance(interested, Mapping):
        at = ("trigger", "thing", "interested")
        yield from _event(file, at, interested, "event")
        if isinstance(interested.get("id"), str) and isinstance(interested.get("event"), str):
            yield Use("property", file, (*at, "id"), interested["id"], interested["event"])


def _of_steps(file: str, steps: Any, loc: Loc) -> Iterator[Use]:
    for i, step in enumerate(steps if isinstance(steps, list) else ()):
        if not isinstance(step, Mapping):
            continue
        at = (*loc, i)
        for word in ("wait_for", "wait"):
            if isinstance(step.get(word), Mapping):
                yield from _event(file, (*at, word), step[word], "event")
                yield from _listed(file, (*at, word), step[word], "reset_on")
        for path in _lists_within(step):
            yield from _of_steps(file, _at(step, path), (*at, *path))


def _lists_within(step: Mapping[Any, Any]) -> Iterator[Loc]:
    """Where a step may hold lists of steps."""
    branch = step.get("branch")
    yield from (("branch", number, "steps") for number in range(len(branch) if isinstance(branch, list) else 0))
    for home in (("split", "steps"), ("parallel", "arms")):
        arms = _at(step, home)
        yield from ((*home, name) for name in (arms if isinstance(arms, Mapping) else ()))
    yield from (("wait_for", word, "steps") for word in ("on_event", "on_timeout"))


def _at(data: Any, path: Loc) -> Any:
    """What stands there; None where nothing does."""
    for part in path:
        if isinstance(data, list) and isinstance(part, int):
            data = data[part]
        else:
            data = data.get(part) if isinstance(data, Mapping) else None
    return data


def _of_settings(document: Document) -> Iterator[Use]:
    for i, stop in items(document, "policies.yaml", "stops"):
        yield from _event("policies.yaml", ("stops", i), stop, "on")
    policies, consent, sources = (document.get(f"{name}.yaml") for name in ("policies", "consent", "sources"))
    if isinstance(policies, Mapping) and isinstance(policies.get("purchases"), Mapping):
        yield from _event("policies.yaml", ("purchases",), policies["purchases"], "event")
        yield from _event("policies.yaml", ("purchases",), policies["purchases"], "undone_by")
    if isinstance(consent, Mapping):
        yield from _listed("consent.yaml", (), consent, "events")
    listed = sources.get("sources") if isinstance(sources, Mapping) else None
    for name, source in listed.items() if isinstance(listed, Mapping) else ():
        if isinstance(source, Mapping):
            yield from _listed("sources.yaml", ("sources", name), source, "events")


def _listed(file: str, loc: Loc, data: Mapping[str, Any], key: str) -> Iterator[Use]:
    """The names of events in a list, or one alone."""
    given = data.get(key)
    if isinstance(given, str):
        yield Use("event", file, (*loc, key), given)
    for i, name in enumerate(given if isinstance(given, list) else ()):
        if isinstance(name, str):
            yield Use("event", file, (*loc, key, i), name)


def _example(test: Any) -> Any:
    """A value that a test is about; None where it is about none."""
    if isinstance(test, list):
        return _example(test[0]) if test else None
    if isinstance(test, Mapping):
        found = next((test[word] for word in ("is", "in", "at_least", "more_than", "at_most") if word in test), None)
        return _example(found)
    return None if isinstance(test, str) and test.startswith("$") else test


def _kind(example: Any) -> str:
    if isinstance(example, bool):
        return "flag"
    return "number" if isinstance(example, int | float) else "text" if isinstance(example, str) else ""
