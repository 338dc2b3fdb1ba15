"""Facts about things: a price drop, a changed departure. Everybody who is interested in the thing is told."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query

from engine.errors import InvalidInput, TooLarge
from engine.inputs import Fact
from engine.journeys.things import wanted
from engine.readings import instants
from serve.api.things import FactsAnswer, FactsShown, ThingsBody
from serve.api.types import answers_with
from serve.http.gateway import AnyGateway, FactTeller, Gateway, ServerGateway
from serve.ingest.facts import FACTS_MAX, read_fact

_SHOWN_MAX: Final = 500

router = APIRouter(prefix="/v1/things", tags=["events"])


@router.post("", **answers_with(FactsAnswer, summary="Tell facts about things"))
async def tell(body: ThingsBody, teller: FactTeller, gateway: AnyGateway) -> Any:
    """Tell that something happened to a thing; answered when it is durable, before the customers are told.

    For a server key, and for the write key of a source with `things: true`.
    """
    said = body.model_dump(exclude_none=True)
    now_ms = await gateway.now_ms()
    key = gateway.catalog.id_key
    rejected: list[dict[str, Any]] = []
    if body.batch is None:
        facts = [read_fact(said, teller.source, now_ms, key)]
    else:
        if len(said) > 1:
            raise InvalidInput("stands alone: the fields of a fact go into its elements", "batch")
        facts, rejected = _each(body.batch, teller.source, now_ms, key)
    are_new = await gateway.router.take_facts(facts, now_ms) if facts else []
    answer = {"accepted": sum(are_new), "repeated": len(are_new) - sum(are_new), "wanted": _wanted(gateway, facts)}
    return answer | ({"rejected": rejected} if rejected else {})


@router.get("", **answers_with(FactsShown))
async def listed(gateway: ServerGateway, limit: Annotated[int, Query(ge=1, le=_SHOWN_MAX)] = 50) -> Any:
    """The newest facts, and how many customers were told of each."""
    found: dict[str, dict[str, Any]] = {}
    for rows in await gateway.router.everywhere("things", limit):
        for row in rows:
            known = found.setdefault(row["fact"], row | {"told": 0, "waits": False})
            known["told"] += row["told"]
            known["waits"] |= row["waits"]
    newest = sorted(found.values(), key=lambda row: (row["at"], row["fact"]), reverse=True)[:limit]
    return {"things": [row | {"at": instants.iso(row["at"])} for row in newest]}


def _each(batch: list[Any], source: str, now_ms: int, key: bytes) -> tuple[list[Fact], list[dict[str, Any]]]:
    """The facts of a batch, and what is wrong with those that cannot be taken."""
    if len(batch) > FACTS_MAX:
        raise TooLarge(f"holds {len(batch)} facts, at most {FACTS_MAX} go into one batch", "batch")
    facts, rejected = [], []
    for index, said in enumerate(batch):
        try:
            facts.append(read_fact(said, source, now_ms, key))
        except InvalidInput as fault:
            rejected.append({"index": index, "field": fault.field, "message": fault.message})
    return facts, rejected


def _wanted(gateway: Gateway, facts: list[Fact]) -> int:
    asked = wanted.wanted(gateway.catalog).by_fact
    return sum((fact.kind, fact.event) in asked for fact in facts)
