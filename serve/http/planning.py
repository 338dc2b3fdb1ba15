"""Makes the plan of an edit: asks the shards who stands where, and reads the older catalogs that runs name."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec

from actors.transport.messages.of_doors import Read
from engine.catalog import statuses
from engine.catalog.compile import compile_bytes
from engine.catalog.compiled import Catalog
from engine.catalog.document import canonical
from engine.catalog.editing import documents, mappings, plan
from engine.catalog.editing.documents import Rule
from engine.catalog.editing.plan import Place
from engine.errors import InvalidInput, NotFound
from engine.values.nearest import meant
from serve.http.gateway import Gateway

_AT_ONCE: Final = 4_000  # customers whom a shard counts between two groups of turns: some 15 ms
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
    changing = {name for name, change in names.items() if change != "shared"}
    if unknown := sorted(proposal.rules.keys() - changing):
        raise InvalidInput(f"{unknown[0]} does not change; {meant(unknown[0], changing)}", "rules")
    inside = {name: await _counted(gateway, name) for name, change in names.items() if change != "new"}
    versions = {place.version for found in inside.values() for places in found for place in places}
    versions |= {edit.version for name in names if name in now.journeys for edit in now.journeys[name].edits}
    archive = await _archive(gateway, versions - {"", was.version})
    archive[was.version] = was = replace(was, archive=archive)
    now = replace(now, archive=archive)
    warnings = [*proposal.warnings, *_misled(was, now, proposal, {name: inside.get(name, ()) for name in names})]
    made = plan.plan(was, now, inside)
    for row in made["journeys"]:
        row["rule"]["stated"] = row["journey"] in proposal.rules or _states(now, row["journey"])
    return made | {"warnings": warnings}


async def former(gateway: Gateway, version: str, inside: str) -> Proposal:
    """The files of a catalog that was active before (`previous`: of the last one), as a proposal in which everybody
    inside follows, finishes or stops."""
    if version == PREVIOUS:
        version = gateway.config.active_catalog.former.before(gateway.catalog.version)
        if not version:
            raise NotFound("no other catalog was active before that is known; name a version", "to")
    document = await _document(gateway, version, "to")
    files = statuses.files_of(msgspec.msgpack.decode(document))
    names = {data["id"] for file, data in files.items() if file.startswith("journeys/")}
    active = msgspec.msgpack.decode(gateway.catalog.document)
    edited = [name for name in names if name in gateway.catalog.journeys and documents.is_edited(active, files, name)]
    return Proposal(canonical(files), {name: {"rest": inside, "map": {}} for name in sorted(edited)})


def _following(was: Catalog, proposal: Proposal) -> Catalog:
    active, files = (msgspec.msgpack.decode(each) for each in (was.document, proposal.files))
    made = statuses.carried(active, files, proposal.rules)
    return replace(compile_bytes(canonical(made)), id_key=was.id_key)


def _misled(
    was: Catalog, now: Catalog, proposal: Proposal, inside: Mapping[str, Iterable[tuple[Place, ...]]]
) -> Iterator[str]:
    """What is wrong with the mappings in the files. InvalidInput for one that was stated beside them."""
    for name, found in inside.items():
        journey = now.journeys.get(name)
        edits = journey.edits if journey is not None and journey.edition != _edition(was, name) else ()
        rule = proposal.rules.get(name)
        mapping = rule["map"] if rule is not None else edits[-1].map if edits else {}
        versions = {was.version} | {place.version for places in found for place in places}
        versions |= {edit.version for edit in edits if edit.version}
        for fault in mappings.faults(map(was.of_version, sorted(versions)), now, name, mapping):
            if rule is not None:
                raise InvalidInput(fault, "rules")
            yield f"on_edit.map: {fault}"


def _edition(catalog: Catalog, name: str) -> int:
    return catalog.journeys[name].edition if name in catalog.journeys else 0


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
        told = await gateway.router.at_place(place, Read("standing", "", (journey, after, _AT_ONCE)))
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


async def _document(gateway: Gateway, version: str, field: str = "version") -> bytes:
    for document in await gateway.router.everywhere("catalog", version):
        if document is not None:
            return bytes(document)
    raise NotFound("no decision was made by such a catalog", field)


@lru_cache(maxsize=64)
def _compiled(document: bytes) -> Catalog:
    return compile_bytes(document)


async def _in_thread(work: Any, *arguments: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(None, work, *arguments)
