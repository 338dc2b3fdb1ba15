"""Which traits of a profile, and which columns of a table, feed which comparison.

identity.yaml (`matching.fields`) replaces the usual paths of a field. Where several paths are listed, the first that
holds something counts; names are compared without case, blanks and underscores, so that `First Name` is `firstName`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from engine.matching.comparable import SIGNALS_MAX, Comparable, Value, comparable
from engine.values.paths import values_at

# Segment's names of traits and the columns of tables that people export.
USUAL: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "given_name": ("firstName", "givenName", "forename"),
        "surname": ("lastName", "familyName", "surname"),
        "full_name": ("name", "fullName"),
        "birth": ("birthday", "dateOfBirth", "birthDate", "dob"),
        "national_id": ("nationalId", "socSecId", "ssn", "taxId"),
        "street_number": ("address.streetNumber", "address.houseNumber", "streetNumber", "houseNumber"),
        "street": ("address.street", "address.line1", "address1", "addressLine1", "street"),
        "street_extra": ("address.street2", "address.line2", "address2", "addressLine2"),
        "city": ("address.city", "city", "suburb", "town"),
        "postcode": ("address.postalCode", "address.postcode", "postalCode", "postcode", "zip", "zipCode"),
        "region": ("address.state", "address.region", "state", "region"),
        "email": ("email",),
        "phone": ("phone",),
        "devices": ("deviceId", "device"),
        "networks": ("ip", "network"),
    }
)
_MANY: Final = frozenset(("devices", "networks"))


def fields_of(traits: Mapping[str, Any], stated: Mapping[str, Sequence[str]] = USUAL) -> dict[str, Value]:
    """The fields of a record, from nested traits. `stated` holds the paths of the fields that are not as usual."""
    return {name: found for name in USUAL if (found := _first(traits, stated.get(name, USUAL[name]), name in _MANY))}


def record_of(traits: Mapping[str, Any], stated: Mapping[str, Sequence[str]] = USUAL) -> Comparable:
    """The comparable form of nested traits."""
    return comparable(fields_of(traits, stated))


def reader(
    columns: Iterable[str], stated: Mapping[str, Sequence[str]] = USUAL
) -> Callable[[Sequence[str]], Comparable]:
    """The function that makes a row of a table comparable. Columns that feed no comparison are never read."""
    at = {_bare(column): place for place, column in reversed(list(enumerate(columns)))}
    places = {
        name: [at[bare] for path in stated.get(name, USUAL[name]) if (bare := _bare(path)) in at] for name in USUAL
    }
    used = {name: found for name, found in places.items() if found}

    def read(row: Sequence[str]) -> Comparable:
        return comparable({name: next((row[place] for place in at if row[place]), "") for name, at in used.items()})

    return read


def columns_used(columns: Iterable[str], stated: Mapping[str, Sequence[str]] = USUAL) -> dict[str, str]:
    """Which field each column of a table feeds; a column that feeds none is not there."""
    fed = {_bare(path): name for name in USUAL for path in stated.get(name, USUAL[name])}
    return {column: fed[_bare(column)] for column in columns if _bare(column) in fed}


def _bare(name: str) -> str:
    """`date_of_birth`, `Date of birth` and `dateOfBirth` alike."""
    return "".join(char for char in name.casefold() if char.isalnum())


def _first(traits: Mapping[str, Any], paths: Sequence[str], many: bool) -> Value:
    for path in paths:
        found = [text for value in values_at(traits, tuple(path.split("."))) if (text := _text(value))]
        if found:
            return found[:SIGNALS_MAX] if many else found[0]
    return ""


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value)
