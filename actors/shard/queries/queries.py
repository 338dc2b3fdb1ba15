"""Readings of a shard, which need no turn: profiles, timelines, reasons, figures."""

from __future__ import annotations

from typing import Any

import msgspec

from actors.shard.journal import export, messages_again, replay
from actors.shard.matching import reviews, serving
from actors.shard.set_aside.dead_letters import SHOWN_BYTES_MAX, DeadLetter
from actors.shard.shard import Shard
from actors.shard.standing import index
from engine import audit, codec
from engine.errors import InvalidInput, Moved, NotFound
from engine.identity import holding
from engine.merging import erasure
from engine.profile import Profile, Tombstone
from engine.readings import consent_words, profiles, reasons_now, timelines


def read(shard: Shard, what: str, profile_id: str, argument: Any = None) -> Any:
    """One reading as plain data. Raises Moved, NotFound where nobody is known, InvalidInput for an unknown reading."""
    if what == "status":
        return status(shard)
    if what == "transitions":
        return [(way, msgspec.to_builtins(row)) for way, row in shard.handoffs.rows.items()]
    if what == "pins":
        return sorted(shard.ownership.pins)
    if what == "things":
        return shard.facts.newest(int(argument), shard.clock.now_ms())
    if what == "catalog":
        found = shard.catalogs.get(str(argument))
        return None if found is None else found.document
    if what == "dump":
        return dump(shard)
    if what == "standing":
        return _standing(shard, *argument)
    shard.ownership.check_reading(profile_id)
    # These are of the place itself, or of the whole shard: they are answered where a tombstone is, or nobody is known.
    if what == "at":
        return _at(shard, profile_id, int(argument))
    if what == "dead":
        return [letter(shard, each, is_listed=True) for each in shard.dead.all(argument)]
    if what == "reviews":
        return reviews.listed(shard, *argument)
    if what == "whereabouts":
        return reviews.whereabouts(shard, argument)
    if what == "handed_over":
        return messages_again.handed_over(shard, profile_id, str(argument))
    if what == "sandbox":
        return shard.sandbox.newest(*argument)
    if what == "forgotten":
        return _is_forgotten(shard, profile_id, argument)
    record = shard.record(profile_id)
    if what == "holder":
        return holding.sole_holder(record)
    if isinstance(record, Tombstone):
        raise Moved(record.to)
    if record is None or record.is_blank:  # an address's place may know no more than who has the address
        raise NotFound("nobody is known by this identifier", "identifier")
    return _of_profile(shard, record, what, argument)


def _of_profile(shard: Shard, profile: Profile, what: str, argument: Any) -> Any:
    now_ms = shard.clock.now_ms()
    if what == "profile":
        return profiles.profile(profile, shard.catalog, now_ms)
    if what == "consent":
        return {
            "profileId": profile.id,
            "consent": consent_words.consents(profile),
            "awaiting": consent_words.awaiting(profile),
        }
    if what == "timeline":
        entries = [audit.open_entry(value)[1] for _, value in shard.records("audit", profile.id)]
        return timelines.timeline(profile, shard.older(profile.id), entries, int(argument), shard.catalogs)
    if what == "why":
        action, journey = argument or (None, None)
        return reasons_now.why(profile, shard.catalog, now_ms, action, journey)
    if what == "said":
        return messages_again.of_send(shard, profile, str(argument))
    if what == "sandboxed":
        channel, most = argument
        return shard.sandbox.newest(channel, most, profile.id)
    if what == "review":
        return reviews.one(shard, profile.id, str(argument))
    if what == "export":
        return export.part(shard, profile.id, *argument)
    raise InvalidInput(f"there is no reading {what}")


def letter(shard: Shard, found: DeadLetter, *, is_listed: bool = False) -> dict[str, Any]:
    """A dead letter as plain data. In a list, a large input is shown by its size alone."""
    return {
        "id": f"{shard.number}-{found.number}",
        "at": found.at_ms,
        "profileId": found.profile,
        "kind": type(found.told).__name__,
        "reason": found.reason,
        "attempts": found.attempts,
        "input": {"bytes": found.size} if is_listed and found.size > SHOWN_BYTES_MAX else export.plain(found.told),
    }


def _standing(shard: Shard, journey: str, after: bytes, most: int) -> Any:
    """Some of the customers in a journey: how many have runs at the same places, and who was counted last."""
    shard.commit(sync=False)
    counted, last = shard.standing.counted(journey, after, most)
    return [([index.read(place) for place in places], count) for places, count in counted.items()], last


def _is_forgotten(shard: Shard, place: str, places: list[str]) -> bool:
    """Whether an erasure of `places` has done its work at one of them."""
    record = shard.record(place)
    if isinstance(record, Tombstone):
        return erasure.is_erased(place, record) or record.to not in places
    return record is None or record.moving_to not in places


def _at(shard: Shard, profile_id: str, at_ms: int) -> Any:
    """The profile as it was at a moment: its journal up to then, under the catalog of its last turn by then."""
    past = replay.replica(shard.batch, profile_id, shard.catalogs, at_ms)
    if isinstance(past.record, Tombstone):
        raise Moved(past.record.to)
    if past.record is None:
        raise NotFound("nobody was known by this identifier then", "identifier")
    return profiles.profile(past.record, shard.catalogs[past.version], at_ms)


def status(shard: Shard) -> dict[str, Any]:
    """The figures of one shard."""
    return {
        "shard": shard.number,
        "profiles": shard.profiles,
        "epoch": shard.epoch,
        "catalogVersion": shard.catalog.version,
        "events": dict(shard.counts),
        "sends": dict(shard.sends) | {"waiting": len(shard.outbox)},
        "identity": {
            "people": shard.people.counts(),
            "soFar": shard.resolved,
            "freshness": {} if shard.counters.freshness is None else shard.counters.freshness.counts(),
        },
        "pinned": shard.ownership.pinned(),
        "timers": len(shard.timers),
        "messages": len(shard.messages),
        "matching": serving.status(shard),
        "things": {"waiting": len(shard.facts), "late": shard.facts.late, **shard.facts.totals},
        "budgets": shard.leases.reading(),
        "now": shard.clock.now_ms(),
        "clock": {"jumps": shard.clock.jumps, "behindMs": shard.clock.behind_ms},
    }


def dump(shard: Shard) -> dict[str, Any]:
    """The canonical plaintext of everything that equality is judged by, by profile
    (`docs/design/virtual-time.md#what-equal-means`)."""
    shard.commit()
    found: dict[str, Any] = {}
    for profile_id in shard.all_profiles():
        record = shard.record(profile_id)
        assert record is not None
        found[profile_id] = {
            "state": codec.canonical(record),
            "audit": [value for _, value in shard.records("audit", profile_id)],
        }
    return found
