"""The peer of the benchmark: FastAPI, uvicorn and Redis, as a good engineer would write it for the same catalog.

A customer is a hash of traits and a list of the last hundred events; a cap is a sorted set per customer. A decision
asks Redis once for all of it, evaluates compiled rules, and reserves its place in a Lua script that counts again, so
that two decisions at once do not exceed a cap; the receipt is written with it. Redis syncs every write (`appendfsync
always`). Ingest counts and stores. There are no journeys, consent, stops, merges, encryption or audit chain.
"""

from __future__ import annotations

import base64
import os
import secrets
import time
from collections import defaultdict
from datetime import datetime
from typing import Any

import msgspec
import redis.asyncio as redis
from fastapi import FastAPI, Request, Response

from loadtest.peers.redis_rules import Person, best, compiled, score
from loadtest.world import bench_catalog

_EVENTS = 100
_RECEIPT_S = 86_400
_KEY = os.environ["SEGUE_WRITE_KEY"]
_decode, _encode = msgspec.msgpack.decode, msgspec.msgpack.encode
_json = msgspec.json.Decoder()

# A script, because Redis runs it as one step: nobody takes a place between the count and the reservation.
_RESERVE = """
local now, id = tonumber(ARGV[1]), ARGV[2]
for i = 3, #KEYS do
  local limit, window = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now - window)
  if redis.call('ZCARD', KEYS[i]) >= limit then return 0 end
end
for i = 3, #KEYS do
  redis.call('ZADD', KEYS[i], now, id)
  redis.call('PEXPIRE', KEYS[i], ARGV[2 * i])
end
redis.call('SET', KEYS[1], ARGV[3], 'EX', ARGV[4])
redis.call('LPUSH', KEYS[2], ARGV[3])
redis.call('LTRIM', KEYS[2], 0, 99)
return 1
"""

app = FastAPI()
_redis: redis.Redis = redis.Redis(unix_socket_path=os.environ["PEER_REDIS_SOCKET"])
_reserve = _redis.register_script(_RESERVE)
_document = bench_catalog.document()
_placements = {name: compiled(_document, name) for name in (*bench_catalog.PLACEMENTS, bench_catalog.EVERYWHERE)}


@app.get("/readyz")
async def ready() -> Response:
    """Redis answers."""
    await _redis.ping()
    return Response(b'{"status":"ready"}', media_type="application/json")


@app.get("/healthz")
async def alive() -> Response:
    """The process answers: this peer's no-op."""
    return Response(b'{"status":"alive"}', media_type="application/json")


@app.post("/v1/batch")
async def ingest(request: Request) -> Response:
    """Count and store a batch. The answer leaves when Redis has synced it."""
    if not _is_known(request):
        return Response(status_code=401)
    batch = _json.decode(await request.body())["batch"]
    now_ms = time.time_ns() // 1_000_000
    async with _redis.pipeline(transaction=False) as pipe:
        touched = set()
        for event in batch:
            user = event.get("userId") or event["anonymousId"]
            if event["type"] == "identify":
                pipe.hset(f"t:{user}", mapping={name: _encode(value) for name, value in event["traits"].items()})
                continue
            name = event.get("event", "Page Viewed")
            at_ms = _ms(event["timestamp"]) if "timestamp" in event else now_ms
            pipe.lpush(f"e:{user}", _encode([name, at_ms, event.get("properties", {})]))
            touched.add(user)
        for user in touched:
            pipe.ltrim(f"e:{user}", 0, _EVENTS - 1)
        pipe.incrby("events", len(batch))
        await pipe.execute()
    return Response(b'{"success":true}', media_type="application/json")


@app.post("/v1/decide")
async def decide(request: Request) -> Response:
    """The same decision as Segue's, by the same rules."""
    if not _is_known(request):
        return Response(status_code=401)
    body: dict[str, Any] = _json.decode(await request.body())
    user, placement = body["userId"], body["placement"]
    candidates, caps = _placements[placement]
    now_ms = time.time_ns() // 1_000_000
    async with _redis.pipeline(transaction=False) as pipe:
        pipe.hgetall(f"t:{user}")
        pipe.lrange(f"e:{user}", 0, _EVENTS - 1)
        for cap in caps:
            pipe.zcount(f"c:{cap.id}:{user}", now_ms - cap.window_ms, "+inf")
        traits, events, *taken = await pipe.execute()
    by_name: defaultdict[str, list[tuple[int, Any]]] = defaultdict(list)
    for packed in events:
        name, at_ms, properties = _decode(packed)
        by_name[name].append((at_ms, properties))
    known = {name.decode(): _decode(value) for name, value in traits.items()}
    person = Person(known, body.get("context", {}), by_name, now_ms, {})
    decision = secrets.token_hex(8)
    for chosen in best(candidates, caps, taken, person):
        shown = {"actionId": chosen.id, "content": chosen.content, "score": score(chosen, person)}
        if await _take(user, decision, now_ms, placement, [caps[n] for n in chosen.caps], shown):
            return _answer(decision, [shown])
    await _take(user, decision, now_ms, placement, [], {"actionId": ""})
    return _answer(decision, [])


async def _take(user: str, decision: str, now_ms: int, placement: str, caps: list[Any], shown: dict[str, Any]) -> bool:
    """Reserve a place under each cap and write the receipt, or neither."""
    receipt = _encode([decision, user, placement, now_ms, shown["actionId"], shown.get("score")])
    keys = [f"r:{decision}", f"h:{user}", *(f"c:{cap.id}:{user}" for cap in caps)]
    limits = [word for cap in caps for word in (cap.limit, cap.window_ms)]
    return bool(await _reserve(keys=keys, args=[now_ms, decision, receipt, _RECEIPT_S, *limits]))


def _ms(at: str) -> int:
    return int(datetime.fromisoformat(at).timestamp() * 1000)


def _answer(decision: str, actions: list[dict[str, Any]]) -> Response:
    return Response(msgspec.json.encode({"decisionId": decision, "actions": actions}), media_type="application/json")


def _is_known(request: Request) -> bool:
    given = request.headers.get("authorization", "")
    kind, _, key = given.partition(" ")
    if kind == "Basic":
        key = base64.b64decode(key).decode().partition(":")[0]
    return secrets.compare_digest(key, _KEY)
