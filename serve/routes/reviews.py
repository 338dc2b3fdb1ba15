"""The review queue: what it asks about who is who, and the answers; and matching on a replay clock."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query

from actors.candidates.door import SocketDoor
from actors.candidates.engine_round import over_all
from engine.errors import Forbidden, NotFound
from engine.inputs import Reviewed
from engine.readings import review_words
from engine.values.identifiers import PROFILE_ID, canonical_if_any
from serve.api.reviews import Decided, Matches, ReviewAnswer, Reviews
from serve.api.types import answers_with
from serve.http.gateway import ServerGateway, ServerPrincipal

MOST = 1_000
_HOPS = 4  # pointers that are followed from another profile to the one that it lives on in

router = APIRouter(prefix="/v1/identity", tags=["identity"])

Kind = Literal["candidate", "merge", "split", "shared"]
State = Literal["open", "accepted", "dismissed", "closed", "all"]


@router.get("/reviews", **answers_with(Reviews, summary="What is asked about who is who"))
async def listed(
    gateway: ServerGateway,
    kind: Kind | None = None,
    state: State = "open",
    limit: Annotated[int, Query(ge=1, le=MOST)] = 100,
) -> Any:
    """The newest entries of the review queue, of a kind and in a state. One about a person who was erased is not
    there; one whose two profiles have become one by another way is `closed`. What write keys have caused comes last."""
    found = [row for rows in await gateway.router.everywhere("reviews", [kind or "", MOST]) for row in rows]
    found = await _as_of_now(gateway, found)
    found = [row for row in review_words.once(found) if state in ("all", row["state"])]
    found.sort(key=lambda row: (row["public"], -row["at_ms"], row["id"]))
    return {"reviews": [review_words.shown(row) for row in found[:limit]]}


@router.post("/reviews/{review}", **answers_with(Decided, errors=(404,), summary="Answer it"))
async def decide(
    review: Annotated[str, Path(pattern="^[0-9a-f]{24}$")],
    answer: ReviewAnswer,
    gateway: ServerGateway,
    principal: ServerPrincipal,
) -> Any:
    """Accept or dismiss an entry. Accepting a candidate or a refused merge joins both profiles, accepting a split
    undoes the merge. Who is dismissed as a candidate is not asked about again. 404 where the other person was
    erased."""
    named = canonical_if_any(PROFILE_ID, answer.profileId, field="profileId")
    profile = named or await _profile_of(gateway, review)
    entry = await gateway.router.read(profile, "review", review)
    if not await _as_of_now(gateway, [entry]):
        raise NotFound("there is no such entry", "review")
    accepted = answer.action == "accept"
    told = Reviewed(entry=review_words.entry(entry), accepted=accepted, by=principal.source, force=answer.force)
    return await gateway.router.tell(entry["profile"], told)


@router.post("/match", **answers_with(Matches, errors=(403,), summary="Match on a replay clock"))
async def match(gateway: ServerGateway) -> Any:
    """Match every profile that waits, once. On the wall clock matching runs by itself, and this is refused."""
    if not gateway.config.is_replay:
        raise Forbidden("matching runs by itself on the wall clock", "clock")
    return asdict(await over_all(SocketDoor(gateway.router), gateway.catalog))


async def _profile_of(gateway: ServerGateway, review: str) -> str:
    for rows in await gateway.router.everywhere("reviews", ["", MOST]):
        for row in rows:
            if row["id"] == review:
                return str(row["profile"])
    raise NotFound("there is no such entry", "review")


async def _as_of_now(gateway: ServerGateway, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The entries with what has become of their other profiles."""
    homes = {row["other"]: row["other"] for row in rows if row["other"]}
    for _ in range(_HOPS):
        places: dict[str, str] = {}
        for some in await gateway.router.everywhere("whereabouts", sorted(set(homes.values()) - {""})):
            places |= some
        homes = {other: places.get(home, "") for other, home in homes.items()}
    return [found for row in rows if (found := review_words.as_of_now(row, homes)) is not None]
