"""Reads statements about consent out of tracked events, in the words that shops use.

Letter case and spaces do not matter. A no without a channel is about all channels, one without a purpose about all
purposes; a yes must name both. An event that names something unknown, or says neither yes nor no, raises `InvalidInput`
with the property: it is set aside, and never noted as if it had an effect.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import product
from typing import Any, Final

from engine.catalog.compiled import Catalog
from engine.errors import InvalidInput
from engine.inputs import ConsentChange, Event
from engine.values.absence import is_absent
from engine.values.nearest import meant

ALL: Final = "*"
NAMES_MAX: Final = 32  # in one list of an event
TEXT_CHARS_MAX: Final = 4_000  # of what the person was shown
_QUOTED_MAX: Final = 40
_YES: Final = frozenset(("true", "yes", "y", "1", "on", "granted", "opt_in", "opt-in", "subscribed"))
_NO: Final = frozenset(("false", "no", "n", "0", "off", "denied", "withdrawn", "opt_out", "opt-out", "unsubscribed"))


def carries(catalog: Catalog, name: str) -> bool:
    """Whether events of this name carry consent, in whatever spelling."""
    return name in catalog.consent_events or name.strip().casefold() in _folded(catalog.consent_events)


@lru_cache(maxsize=8)
def _folded(names: frozenset[str]) -> frozenset[str]:
    return frozenset(name.casefold() for name in names)


def read(event: Event, catalog: Catalog) -> list[ConsentChange]:
    """The statements of an event that carries consent: one for each purpose and channel that it names.

    Raises InvalidInput with `properties.granted`, `.purpose` or `.channel` as its field.
    """
    said = event.properties
    granted, scopes = understood(catalog, said, "properties.")
    return [
        ConsentChange(
            purpose=purpose,
            channel=channel,
            granted=granted,
            at_ms=event.said_ms,
            source=event.source,
            text=str(said.get("text") or "")[:TEXT_CHARS_MAX],
            public=event.public,
            imported=event.imported,
        )
        for purpose, channel in scopes
    ]


def understood(catalog: Catalog, said: Mapping[str, Any], path: str = "") -> tuple[bool, list[tuple[str, str]]]:
    """Whether `said` is a yes, and each (purpose, channel) that it is about, by its `granted`, `purpose`, `channel`.

    Raises InvalidInput with the name of the one at fault behind `path`.
    """
    granted = _granted(said.get("granted"), f"{path}granted")
    purposes = _named("purpose", said.get("purpose"), catalog.purposes, path)
    channels = _named("channel", said.get("channel"), catalog.channels, path)
    for field, names in (("purpose", purposes), ("channel", channels)):
        if not names and granted:
            raise InvalidInput("is needed by a yes", f"{path}{field}")
    return granted, list(product(purposes or [ALL], channels or [ALL]))


def _granted(value: Any, field: str) -> bool:
    value = int(value) if value in (0.0, 1.0) and isinstance(value, float) else value  # JSON does not tell 1.0 from 1
    word = str(value).strip().casefold() if isinstance(value, str | bool | int) else ""
    if word in _YES or word in _NO:
        return word in _YES
    raise InvalidInput(f"says neither yes nor no: {_quoted(value)}", field)


def _named(field: str, value: Any, known: Iterable[str], path: str) -> list[str]:
    """The ids that `value` names, each once; empty where it names none."""
    values = value if isinstance(value, list) else [value]
    if len(values) > NAMES_MAX:
        raise InvalidInput(f"names {len(values)}, at most {NAMES_MAX} are read", f"{path}{field}")
    ids = {ALL: ALL, "all": ALL} | {name.casefold(): name for name in known} | {name: name for name in known}
    found: dict[str, None] = {}
    for each in values:
        if is_absent(each):
            continue
        name = ids.get(each.strip()) or ids.get(each.strip().casefold()) if isinstance(each, str) else None
        if name is None:
            hint = meant(each if isinstance(each, str) else "", known)
            raise InvalidInput(f"names no {field} that there is: {_quoted(each)}; {hint}", f"{path}{field}")
        found[name] = None
    return list(found)


def _quoted(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _QUOTED_MAX else f"{text[:_QUOTED_MAX]}…"
