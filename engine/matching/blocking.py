"""Which records are worth comparing: those that share a blocking key. Each pass makes one key of a record, or none.

Several passes are needed, because an error in what one key is made of hides a pair from that pass alone. A key is plain
personal data; whoever keeps keys hashes them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from engine.matching.comparable import Comparable

Key = tuple[str, str]  # the name of the pass, and the key


def _joined(*parts: str) -> str:
    """The parts with a separator; empty where one is missing."""
    return "|".join(parts) if all(parts) else ""


def _sorted(first: str, second: str) -> str:
    """The parts in one order, so that two that were swapped give the same key."""
    return _joined(*sorted((first, second)))


def _birth(record: Comparable) -> str:
    return min(record.birth, record.birth_crossed)


PASSES: Final[dict[str, Callable[[Comparable], str]]] = {
    "national_id": lambda record: record.national_id,
    "email": lambda record: record.email,
    "email_name": lambda record: record.email_name if len(record.email_name) >= 6 else "",
    "phone": lambda record: record.phone,
    "birth": _birth,
    "names": lambda record: _sorted(record.given_sound, record.surname_sound),
    "surname_year": lambda record: _joined(record.surname_sound, record.birth[:4]),
    "given_year_month": lambda record: _joined(record.given_sound, record.birth[:6]),
    "surname_postcode": lambda record: _joined(record.surname_sound, record.postcode),
    "given_postcode": lambda record: _joined(record.given_sound, record.postcode),
    "surname_city": lambda record: _joined(record.surname[:3], record.city[:4]),
    "given_city": lambda record: _joined(record.given_name[:3], record.city[:4]),
    "given_street": lambda record: _joined(record.given_sound, record.street[:6]),
    "street_postcode": lambda record: _joined(record.street[:4], record.postcode),
    "street_city": lambda record: _joined(record.street[:5], record.city[:4]),
    "number_city": lambda record: _joined(record.street_number, record.city[:5]),
    "number_street": lambda record: _joined(record.street_number, record.street[:5]),
}


def keys(record: Comparable) -> list[Key]:
    """The keys of a record, at most one of each pass, and one for each of its devices. A network alone makes none."""
    found = [(name, key) for name, of in PASSES.items() if (key := of(record))]
    return found + [("device", device) for device in sorted(record.devices)]
