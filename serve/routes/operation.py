"""The operation of an engine: whether it is ready, its numbers, and the replay clock."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from typing import Any

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, Response

from actors.platform.meter import FRESHNESS_SECONDS
from engine.errors import InvalidInput, NotReady
from engine.readings import identity_figures, instants
from engine.values.times import read_ms
from serve.api.status import Status
from serve.api.types import ClockAnswer, ClockBody, Ready, answers_with
from serve.http.gateway import AnyGateway, ServerGateway

_READY_S = 3.0

router = APIRouter(tags=["operation"])


def is_pin(shard: dict[str, Any]) -> bool:
    """Whether these numbers are those of a pinned profile's process."""
    return int(shard["shard"]) < 0


@router.get("/readyz", **answers_with(Ready))
async def ready(gateway: AnyGateway) -> dict[str, Any]:
    """All shards answer, and soon, and so do the processes of pinned profiles; 503 else."""
    try:
        status = await asyncio.wait_for(gateway.look(), _READY_S)
    except TimeoutError:
        raise NotReady("a shard does not answer") from None
    shards = [shard for shard in status if not is_pin(shard)]
    return {"status": "ready", "shards": len(shards), "catalogVersion": gateway.catalog.version}


@router.get("/v1/status", **answers_with(Status))
async def status(gateway: ServerGateway) -> Any:
    """The numbers of the whole engine."""
    shards = await gateway.router.everywhere("status")
    own = [shard for shard in shards if not is_pin(shard)]
    events, sends = Counter[str](), Counter[str]()
    for shard in shards:
        events.update(shard["events"])
        sends.update(shard["sends"])
    events.update(gateway.counts)
    return {
        "version": gateway.config.version,
        "catalogVersion": gateway.catalog.version,
        "clock": "replay" if gateway.config.is_replay else "wall",
        "now": instants.iso(max(shard["now"] for shard in shards)),
        "clockJumps": max(shard["clock"]["jumps"] for shard in shards),
        "clockBehindMs": max((shard["clock"]["behindMs"] for shard in shards), key=abs),
        "shards": [{key: shard[key] for key in ("shard", "profiles", "epoch")} for shard in own],
        "pinned": sorted(profile for shard in shards for profile in shard["pinned"]),
        "events": dict(events),
        "sends": dict(sends),
        "identity": _identity(shards, gateway.catalog.identity.matching.enabled),
        "matching": _matching([shard["matching"] for shard in shards]),
        "things": _things([shard["things"] for shard in shards]),
        "timers": {"pending": sum(shard["timers"] for shard in shards)},
        "messages": {"pending": sum(shard["messages"] for shard in shards)},
        # Shard 0 is the lease authority: it alone knows what all shards were granted.
        "budgets": {
            name: {"limit": told["limit"], "granted": told["granted"]} for name, told in own[0]["budgets"].items()
        },
    }


def _matching(shards: list[dict[str, Any]]) -> dict[str, Any]:
    """Matching: the sums over all shards."""
    counts = ("indexed", "waiting", "matched", "pairs", "likely")
    frequent = Counter[str]()
    for shard in shards:
        frequent.update(shard["frequent"])
    return {
        **{name: sum(shard[name] for shard in shards) for name in counts},
        "rebuilding": any(shard["rebuilding"] for shard in shards),
        "frequent": dict(sorted(frequent.items())),
    }


def _things(shards: list[dict[str, Any]]) -> dict[str, int]:
    """Facts about things: each shard has all of them, and tells its own customers."""
    return {
        "waiting": max(shard["waiting"] for shard in shards),
        "late": sum(shard["late"] for shard in shards),
        "told": sum(shard["told"] for shard in shards),
    }


def _identity(shards: list[dict[str, Any]], is_matching: bool) -> dict[str, Any]:
    """Who is who: the sums over all shards. None while a shard counts its records anew."""
    so_far, people, ages = Counter[str](), Counter[str](), defaultdict[str, Counter[int]](Counter)
    for told in (shard["identity"] for shard in shards):
        so_far.update(told["soFar"])
        people.update(told["people"] or {})
        for source, counts in told["freshness"].items():
            ages[source].update(dict(enumerate(counts)))
    is_counted = all(shard["identity"]["people"] is not None for shard in shards)
    is_compared = any(shard["matching"]["waiting"] < shard["matching"]["indexed"] for shard in shards)
    bounds = FRESHNESS_SECONDS.bounds
    return {
        **identity_figures.told(
            people if is_counted else None, so_far, is_matching=is_matching, is_compared=is_compared
        ),
        "freshness": {
            source: identity_figures.freshness(bounds, [counts[place] for place in range(len(bounds) + 1)])
            for source, counts in sorted(ages.items())
        },
    }


@router.get("/metrics", response_class=PlainTextResponse, summary="What was measured, for Prometheus")
async def metrics(gateway: ServerGateway) -> Response:
    """What every part of the engine has measured, some seconds old; Ray's own endpoint has it beside its own."""
    return PlainTextResponse(await gateway.metrics(), media_type="text/plain; version=0.0.4")


@router.post("/v1/clock", **answers_with(ClockAnswer))
async def move_clock(body: ClockBody, gateway: ServerGateway) -> Any:
    """Move the replay clock to a watermark; answered once everything due is done."""
    watermark_ms = read_ms(body.watermark, "watermark")
    if watermark_ms is None:
        raise InvalidInput("is no time", "watermark")
    moved = await gateway.advance(watermark_ms, body.drain)
    return {"now": instants.iso(moved["now"]), "pendingTimers": moved["pendingTimers"]}
