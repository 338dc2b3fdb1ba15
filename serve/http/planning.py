"""Makes the plan of an edit: asks the shards who stands where, and reads the older catalogs that runs name."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec

from actors.transport.messages.of_doors import Read
from engine.catalog import statuses
from engine.catalog.compile import compile_bytes
from engine.catalog.compiled import Catalog
from engine.catalog.document import canonical
from engine.catalog.editing import documents, plan
from engine.catalog.editing.documents import Rule
from engine.catalog.editing.plan import Place
from engine.errors import InvalidInput, NotFound
from engine.values.nearest import meant
from serve.http.gateway import Gateway

_ROWS_AT_ONCE: Final = 20_000  # a shard counts so many between two groups of turns: some 20 ms
_Counted = tuple[list[tuple[tuple[Place, ...], int]], bytes]
PREVIOUS: Final = "previous"


class Proposal(NamedTuple):
    """The files of an edit that is not active yet, as a document, and what was stated beside them."""

    files: bytes
    rules: Mapping[str, Rule]
    warnings: tuple[str, ...] = ()


async def plan_of(gateway: Gateway, proposal: Proposal) -> dict[str, Any]:
    """The plan of a proposal as plain data."""
    was = gateway.catalog
    now = await _in_thread(_following, was, proposal)
    names = plan.affected(was, now)
    if unknown := sorted(proposal.rules.keys() - names.keys()):
        raise InvalidInput(f"{unknown[0]} does not change; {meant(unknown[0], names)}", "rules")
    _check_steps(now, proposal)
    inside = {name: await _counted(gateway, name) for name, change in names.items() if change != "new"}
    versions = {place.version for found in inside.values() for places in found for place in places}
    versions |= {edit.version for name in names if name in now.journeys for edit in now.journeys[name].edits}
    archive = await _archive(gateway, versions - {"", was.version})
    archive[was.version] = was = replace(was, archive=archive)
    made = plan.plan(was, replace(now, archive=archive), inside)
    for row in made["journeys"]:
        row["rule"]["stated"] = row["journey"] in proposal.rules or _states(now, row["journey"])
    return made | {"warnings": list(proposal.warnings)}


async def former(gateway: Gateway, version: str, inside: str) -> Proposal:
    """The files of a catalog that was active before (`previous`: of the last one), as a proposal in which everybody
    inside follows, finishes or stops."""
    if version == PREVIOUS:
        version = gateway.config.active_catalog.former.before(gateway.catalog.version)
        if not version:
            raise NotFound("no other catalog was active before that is known; name a version", "to")
    document = await _document(gateway, version)
    files = statuses.files_of(msgspec.msgpack.decode(document))
    names = {data["id"] for file, data in files.items() if file.startswith("journeys/")}
    active = msgspec.msgpack.decode(gateway.catalog.document)
    edited = [name for name in names if name in gateway.catalog.journeys and documents.is_edited(active, files, name)]
    return Proposal(canonical(files), {name: {"rest": inside, "map": {}} for name in sorted(edited)})


def _following(was: Catalog, proposal: Proposal) -> Catalog:
    active, files = (msgspec.msgpack.decode(each) for each in (was.document, proposal.files))
    made = statuses.carried(active, files, proposal.rules)
    return replace(compile_bytes(canonical(made)), id_key=was.id_key)


def _check_steps(now: Catalog, proposal: Proposal) -> None:
    """InvalidInput where a rule leads to a step that its journey does not have."""
    for name, rule in proposal.rules.items():
        known = {step.id for step in now.journeys[name].steps} if name in now.journeys else set[str]()
        for right in rule["map"].values():
            if right not in known:
                raise InvalidInput(f"{name} has no step {right}; {meant(right, known)}", "rules")


def _states(now: Catalog, name: str) -> bool:
    """Whether a journey's own file says what becomes of who is inside."""
    files = msgspec.msgpack.decode(now.document)
    return any("on_edit" in data for file, data in files.items() if file.startswith("journeys/") and data["id"] == name)


async def _counted(gateway: Gateway, journey: str) -> Counter[tuple[Place, ...]]:
    """Everybody in a journey, by the places of their runs."""
    found: Counter[tuple[Place, ...]] = Counter()
    for counted in await asyncio.gather(*(_at(gateway, place, journey) for place in await gateway.router.places())):
        found.update(counted)
    return found


async def _at(gateway: Gateway, place: str, journey: str) -> Counter[tuple[Place, ...]]:
    found: Counter[tuple[Place, ...]] = Counter()
    after = b""
    while True:
        told = await gateway.router.at_place(place, Read("standing", "", (journey, after, _ROWS_AT_ONCE)))
        rows, after = msgspec.convert(told.value, _Counted)
        for places, customers in rows:
            found[places] += customers
        if not after:
            return found


async def _archive(gateway: Gateway, versions: Iterable[str]) -> dict[str, Catalog]:
    """The catalogs of these versions, as far as anybody keeps them."""
    found = {}
    for version in sorted(versions):
        try:
            document = await _document(gateway, version)
        except NotFound:
            continue
        found[version] = await _in_thread(_compiled, document)
    return found


async def _document(gateway: Gateway, version: str) -> bytes:
    for document in await gateway.router.everywhere("catalog", version):
        if document is not None:
            return bytes(document)
    raise NotFound("no decision was made by such a catalog", "version")


@lru_cache(maxsize=64)
def _compiled(document: bytes) -> Catalog:
    return compile_bytes(document)


async def _in_thread(work: Any, *arguments: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(None, work, *arguments)
