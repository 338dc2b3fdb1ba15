"""Exports all data that is held on a person, part by part: a long history does not fit into one frame."""

from __future__ import annotations

from typing import Any

import msgspec

from actors.shard.journal import replay
from actors.shard.outbox import sandbox_log
from actors.shard.state import ShardState
from actors.storage import keys
from engine import audit, codec
from engine.profile import Profile
from engine.readings import instants
from engine.splitting.around import Around

FAMILIES = ("state", "history", "audit", "journal", "sandbox", "merges")
_PART_BYTES = 1 << 20


def part(state: ShardState, profile: str, family: str, after: bytes) -> dict[str, Any]:
    """One part: the `rows` of a family that follow the key `after`, as plain as JSON wants them. `next` is where the
    following part begins, None after the last one."""
    rows: list[Any] = []
    size = 0
    for key, record in state.batch.rows(family, keys.profile_key(profile)):
        if key <= after:
            continue
        rows += _READ[family](key, record)
        size += len(record)
        if size >= _PART_BYTES:
            return {"rows": rows, "next": key}
    return {"rows": rows, "next": None}


def _state(key: bytes, record: bytes) -> list[Any]:
    profile = codec.decode_record(record)
    assert isinstance(profile, Profile), "a tombstone is not exported"
    names = type(profile).__struct_fields__
    return [{name: plain(getattr(profile, name)) for name in names} | {"history": plain(profile.history.events)}]


def _history(key: bytes, record: bytes) -> list[Any]:
    return [plain(event) for event in codec.decode_page(record)]


def _audit(key: bytes, record: bytes) -> list[Any]:
    entry = audit.open_entry(record)[1]
    return [{"at": instants.iso(entry.at_ms)} | plain(entry)]


def _journal(key: bytes, record: bytes) -> list[Any]:
    entry = replay.Entry.read(key, record)
    return [{"at": instants.iso(entry.now_ms), "catalogVersion": entry.version, "input": plain(entry.told)}]


def plain(value: Any) -> Any:
    """A value in the types of JSON: a record of ours as an object of its fields, bytes in base64."""
    if isinstance(value, msgspec.Struct):
        return {name: plain(getattr(value, name)) for name in type(value).__struct_fields__}
    if isinstance(value, dict):
        return {str(name): plain(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [plain(member) for member in value]
    return msgspec.to_builtins(value)


def _sandbox(key: bytes, record: bytes) -> list[Any]:
    said = sandbox_log.row(key, record)
    return [said | {"at": instants.iso(said["at"])}]


def _merges(key: bytes, record: bytes) -> list[Any]:
    """The states around a merge."""
    around = Around.read(record)
    states = {"before": around.before, "other": around.other, "after": around.after}
    return [
        {"mergeId": key[keys.PROFILE_BYTES :].hex()} | {name: _state(b"", state)[0] for name, state in states.items()}
    ]


_READ = {
    "state": _state,
    "history": _history,
    "audit": _audit,
    "journal": _journal,
    "sandbox": _sandbox,
    "merges": _merges,
}
