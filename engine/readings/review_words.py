"""An entry of the review queue as people read it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from engine.parts.of_identity import ReviewEntry
from engine.readings.instants import iso


def entry(row: Mapping[str, Any]) -> ReviewEntry:
    """The entry that a row of plain data stands for."""
    return ReviewEntry(**{name: row[name] for name in ReviewEntry.__struct_fields__})


def plain(found: ReviewEntry) -> dict[str, Any]:
    """The opposite of `entry`."""
    return msgspec.structs.asdict(found)


def as_of_now(row: dict[str, Any], homes: Mapping[str, str]) -> dict[str, Any] | None:
    """A row with what has become of the other profile; None where that person is not known any more. `homes`: where
    each profile lives now, empty where nowhere."""
    other = row["other"]
    if not other:
        return row
    home = homes[other]
    if not home:
        return None if row["state"] == "open" else row
    is_one = home == row["profile"] and row["state"] == "open" and row["kind"] in ("candidate", "merge")
    return row | {"other": home, "state": "closed" if is_one else row["state"]}


def once(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows as of now, less the open candidates about a pair that another one asks about: after a merge a question
    may have been asked under two ids. An answer to the one that stays closes the others."""
    found: list[dict[str, Any]] = []
    asked: set[frozenset[str]] = set()
    for row in rows:
        pair = frozenset((row["profile"], row["other"]))
        if row["kind"] == "candidate" and row["state"] == "open":
            if pair in asked:
                continue
            asked.add(pair)
        found.append(row)
    return found


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as `GET /v1/identity/reviews` shows it."""
    found = {
        "id": row["id"],
        "at": iso(row["at_ms"]),
        "kind": row["kind"],
        "state": row["state"],
        "reason": row["reason"],
        "profileId": row["profile"],
        "otherId": row["other"],
        "namespace": row["namespace"],
        "mergeId": row["merge_id"],
        "confidence": row["confidence"],
        "source": row["source"],
        "public": row["public"],
        "why": [
            {"comparison": comparison, "level": level, "bits": bits}
            for comparison, level, bits in row["detail"].get("why", ())
        ],
    }
    return found | ({"decidedAt": iso(row["decided_ms"])} if row["decided_ms"] else {})
