"""The tracking plan of a playbook, under the shop's names; and what of it a shop's own plan does not know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from engine.values.nearest import nearest
from serve.playbooks.mapping import Events, Names
from serve.playbooks.places import Place

Schema = Mapping[str, Any]


def plan_of(events: Events, names: Names) -> CommentedMap:
    """The file `tracking_plan.yaml`. An event that lacks what the playbook reads is counted and taken all the same."""
    planned = CommentedMap()
    for event, wanted in events.items():
        if not wanted.of_thing:
            schema = _object(event, "", {"properties": wanted.properties, "required": wanted.required}, names)
            planned[names.event(event)] = _laid_out(
                {"mode": "warn"} | ({"schema": schema} if wanted.properties else {})
            )
    return CommentedMap(events=planned)


def _laid_out(data: Any) -> Any:
    """The same for a file: what holds nothing but words stands on one line."""
    if isinstance(data, list):
        made = CommentedSeq(data)
        made.fa.set_flow_style()
        return made
    if not isinstance(data, dict):
        return data
    laid = CommentedMap((key, _laid_out(value)) for key, value in data.items())
    if not any(isinstance(value, dict) for value in data.values()):
        laid.fa.set_flow_style()
    return laid


def _object(event: str, home: str, schema: Schema, names: Names) -> dict[str, Any]:
    """The schema of an object whose properties stand at the shop's paths, in objects of their own where need be."""
    made: dict[str, Any] = {"type": "object"}
    required = schema.get("required", [])
    for name, inner in schema.get("properties", {}).items():
        path = f"{home}.{name}" if home else name
        theirs = names.within(event, home, name) if home else names.path(event, name)
        *above, last = theirs.split(".")
        here = made
        for step in above:
            _require(here, step, name in required)
            here = here.setdefault("properties", {}).setdefault(step, {"type": "object"})
        _require(here, last, name in required)
        here.setdefault("properties", {})[last] = _renamed(event, path, inner, names)
    return made


def _renamed(event: str, path: str, schema: Schema, names: Names) -> dict[str, Any]:
    if "items" in schema:
        return {**schema, "items": _renamed(event, path, schema["items"], names)}
    if "properties" in schema:
        return {**schema, **_object(event, path, schema, names)}
    return dict(schema)


def _require(schema: dict[str, Any], name: str, is_required: bool) -> None:
    if is_required and name not in schema.setdefault("required", []):
        schema["required"].append(name)


def unmapped(places: list[Place], events: Events, names: Names, plan: Mapping[str, Any]) -> list[str]:
    """Problems with the names that a shop's plan does not know. A plan that lets unknown events pass may be silent
    about an event, and a schema about a property that it does not forbid."""
    known: Mapping[str, Any] = plan.get("events") or {}
    is_whole = plan.get("unknown", "allow") != "allow"
    problems = []
    for place in places:
        wanted = events.get(place.event)
        if wanted is None or wanted.of_thing:
            continue
        theirs = names.event(place.event)
        if theirs not in known:
            if is_whole and not names.keeps(place.event) and not place.path:
                problems.append(place.problem(_unknown("event", theirs, known, place.event)))
        elif place.path in wanted.required and not names.keeps(place.event, place.path):
            schema = (known[theirs] or {}).get("schema", {})
            listed, path = schema.get("properties"), names.path(place.event, place.path)
            is_closed = is_whole or schema.get("additionalProperties") is False
            if listed and is_closed and path.partition(".")[0] not in listed:
                ours = f"{place.event}.{place.path}"
                problems.append(place.problem(_unknown(f"property of {theirs!r}", path, listed, ours)))
    return problems


def _unknown(what: str, theirs: str, known: Mapping[str, Any], ours: str) -> str:
    near = nearest(theirs, known, 0.5)
    mapping = repr(f"{ours}={near or '...'}").replace("'", '"')
    return f"{theirs!r} is no {what} in this workspace's tracking plan: say what it is called there: --map {mapping}"
