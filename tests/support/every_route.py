"""A call of every route, and the faults of the answers by the OpenAPI document."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import jsonschema
import msgspec

from engine import seeds
from support.every_feature import SERVER, WRITE, Story, texts
from support.world import ID_KEY


@dataclass(frozen=True, slots=True)
class Call:
    """One question to one operation of the OpenAPI document; `wanted` are the statuses that its answer may have."""

    method: str
    path: str
    where: str
    body: Any = None
    wanted: tuple[int, ...] = (200,)
    key: str = SERVER

    @property
    def operation(self) -> str:
        """The operation's name in the document."""
        return f"{self.method} {self.path}"


def calls(story: Story, folder: Path) -> Iterator[Call]:
    """All calls; those that take something away come last."""
    yield from _of_operation(story, folder)
    yield from _of_events(story)
    yield from _of_pages(story)
    letters = story.client.get("/v1/dead-letters", headers={"x-api-key": SERVER}).json()["deadLetters"]
    rejected = next(letter for letter in letters if letter["kind"] == "Rejected")
    event = {"type": "track", "userId": "bob", "event": "Fine", "messageId": "fine-2"}
    yield Call("post", "/v1/dead-letters/{letter}/retry", f"/v1/dead-letters/{rejected['id']}/retry", {"event": event})
    yield Call("post", "/v1/dead-letters/{letter}/retry", "/v1/dead-letters/0-999999/retry", None, (404,))
    others = [letter for letter in letters if letter is not rejected]
    yield Call("delete", "/v1/dead-letters/{letter}", f"/v1/dead-letters/{others[0]['id']}")
    yield from _of_people(story)
    yield Call("post", "/v1/backup", "/v1/backup", _copy(folder, "last"))


def _copy(folder: Path, name: str) -> dict[str, str]:
    """The directories of a backup; there is none while a profile is pinned."""
    return {"directory": str(folder / name), "keys": str(folder / f"{name}-keys")}


def _of_operation(story: Story, folder: Path) -> Iterator[Call]:
    version = story.client.get("/readyz").json()["catalogVersion"]
    for path in ("/healthz", "/readyz", "/v1/status", "/v1/journeys", "/v1/transitions", "/v1/catalog"):
        yield Call("get", path, path)
    yield Call("get", "/metrics", "/metrics")
    for key, status in ((WRITE, 200), ("nobody", 404)):
        where = f"/v1/projects/{quote(key)}/settings"
        yield Call("get", "/v1/projects/{key}/settings", where, None, (status,))
    yield Call("post", "/v1/m", "/v1/m", {"series": []}, key=WRITE)
    yield Call("get", "/v1/dead-letters", "/v1/dead-letters?limit=1000")
    for kind in ("rejected", "quarantined", "failed"):
        yield Call("get", "/v1/dead-letters", f"/v1/dead-letters?kind={kind}")
    yield Call("get", "/v1/catalog/{version}", f"/v1/catalog/{version}")
    yield Call("get", "/v1/catalog/{version}", "/v1/catalog/0123456789abcdef", None, (404,))
    yield Call("post", "/v1/catalog", "/v1/catalog", {"files": texts()})
    yield Call("post", "/v1/catalog", "/v1/catalog", {"files": {"nonsense.yaml": "{"}}, (422,))
    yield Call("get", "/v1/plan", "/v1/plan", None, (200, 404))
    yield Call("get", "/v1/plan", "/v1/plan?to=0123456789abcdef", None, (404,))
    yield Call("get", "/v1/plan", f"/v1/plan?to={version}&inside=stop")
    for path, fields in (("/v1/plan", {}), ("/v1/apply", {}), ("/v1/apply", {"plan": "of another day"})):
        wanted = (409,) if fields else (200,)
        yield Call("post", path, path, {"files": texts(), "rules": {}} | fields, wanted)
    yield Call("post", "/v1/apply", "/v1/apply", {"files": {"nonsense.yaml": "{"}}, (422,))
    yield Call("post", "/v1/rollback", "/v1/rollback", {"to": version, "inside": "finish"})
    yield Call("post", "/v1/rollback", "/v1/rollback", {"to": "0123456789abcdef"}, (404,))
    for word in ("pause", "stop", "resume"):
        yield Call("post", "/v1/journeys/{journey}/{word}", f"/v1/journeys/thanks/{word}")
    yield Call("post", "/v1/journeys/{journey}/{word}", "/v1/journeys/none/pause", None, (404,))
    for state in ("open", "all"):
        yield Call("get", "/v1/identity/reviews", f"/v1/identity/reviews?state={state}&limit=10")
    nobody = f"/v1/identity/reviews/{'0' * 24}"
    yield Call("post", "/v1/identity/reviews/{review}", nobody, {"action": "dismiss"}, (404,))
    on_replay = story.clock == "replay"
    yield Call("post", "/v1/identity/match", "/v1/identity/match", None, (200,) if on_replay else (403,))
    yield Call("post", "/v1/backup", "/v1/backup", _copy(folder, "first"), (400,) if story.pins else (200,))
    moved = {"watermark": (story.now + timedelta(seconds=60)).isoformat(), "drain": False}
    yield Call("post", "/v1/clock", "/v1/clock", moved, (200,) if story.clock == "replay" else (403,))


def _of_events(story: Story) -> Iterator[Call]:
    who = {"userId": "ada", "anonymousId": "a1"}
    bodies: dict[str, dict[str, Any]] = {
        "track": {"event": "Product Viewed", "properties": {"product_id": "sku-1"}},
        "identify": {"traits": {"vip": True}},
        "page": {"name": "Home"},
        "screen": {"name": "Home"},
        "group": {"groupId": "g1", "traits": {"plan": "gold"}},
        "alias": {"previousId": "a9"},
    }
    stamp = {"timestamp": story.now.isoformat()} if story.clock == "replay" else {}
    for number, (kind, body) in enumerate(bodies.items()):
        for path in (f"/v1/{kind}", f"/v1/{kind[0]}"):
            yield Call("post", path, path, who | body | stamp | {"messageId": f"{path}-{number}"}, key=WRITE)
    lot = {"batch": [{"type": "track", "event": "E", "userId": "ada", "messageId": "lot", **stamp}, {"type": "odd"}]}
    for path in ("/v1/batch", "/v1/b", "/v1/import"):
        yield Call("post", path, path, lot)
    drop = {"kind": "product", "id": "sku-1", "event": "Price Dropped", "properties": {"percent": 15}}
    yield Call("post", "/v1/things", "/v1/things", drop | {"messageId": "drop"})
    yield Call("post", "/v1/things", "/v1/things", {"batch": [drop | {"messageId": "drop"}, {"kind": "product"}]})
    yield Call("post", "/v1/things", "/v1/things", drop | {"id": None}, (400,))
    yield Call("post", "/v1/things", "/v1/things", drop, (403,), key=WRITE)
    yield Call("get", "/v1/things", "/v1/things?limit=3")
    for person in (
        {"userId": "ada"},
        {"userId": "bob"},
        {"userId": "eve"},
        {"anonymousId": "nobody"},
        {"userId": "gone"},
    ):
        for placement in ("home_hero", "corner"):
            yield Call(
                "post", "/v1/decide", "/v1/decide", {"placement": placement, "explain": True, "limit": 5, **person}
            )
            flag = f"/ofrep/v1/evaluate/flags/{placement}"
            yield Call("post", "/ofrep/v1/evaluate/flags/{key}", flag, {"context": person})
        yield Call("post", "/ofrep/v1/evaluate/flags", "/ofrep/v1/evaluate/flags", {"context": person})
    yield Call("post", "/v1/decide", "/v1/decide", {"placement": "none", "userId": "ada"}, (400,))
    for shown in story.shown:
        for event in ("viewed", "clicked"):
            told = {"trackingToken": shown["trackingToken"], "event": event}
            yield Call("post", "/v1/exposures", "/v1/exposures", told)
    yield Call("post", "/v1/exposures", "/v1/exposures", {"trackingToken": "x", "event": "viewed"}, (400,))


def _of_pages(story: Story) -> Iterator[Call]:
    home = seeds.profile_id(ID_KEY, "user_id", "ada")
    place = seeds.profile_id(ID_KEY, "email", "ada@shop.example")
    opt_out = msgspec.msgpack.encode([home, "marketing", "sms", "0" * 24, ""])
    now_ms = int(story.now.timestamp() * 1000) if story.clock == "replay" else int(datetime.now(UTC).timestamp() * 1000)
    confirm = msgspec.msgpack.encode([home, place, now_ms])
    for page, purpose, payload in (("u", "opt-out", opt_out), ("c", "confirm", confirm)):
        token = seeds.sign(ID_KEY, purpose, payload)
        for method in ("get", "post"):
            yield Call(method, f"/{page}/{{token}}", f"/{page}/{token}")
            yield Call(method, f"/{page}/{{token}}", f"/{page}/odd", None, (404,))
    for granted in (True, False):
        said = {"purpose": "marketing", "channel": "email", "granted": granted, "source": "form", "text": "as read"}
        for who in ({"user_id": "ada"}, {"email": "ada@shop.example"}):
            yield Call("post", "/v1/consent", "/v1/consent", {"identifiers": who, **said})
    unknown = {"identifiers": {"profile_id": "0" * 30}, "purpose": "marketing", "granted": False, "source": "form"}
    yield Call("post", "/v1/consent", "/v1/consent", unknown, (404,))


_PEOPLE = (
    *((name, True) for name in ("user_id:ada", "email:ada@shop.example", "anonymous_id:a1", "phone:+436601234567")),
    *((name, True) for name in ("user_id:bob", "user_id:eve", "user_id:dora")),
    *((name, True) for name in ("user_id:gone", "anonymous_id:nobody")),  # whom a later decision has made known
    *((name, False) for name in ("user_id:left", "email:left@shop.example", "anonymous_id:never")),
)


def _of_splits(story: Story, who: str) -> Iterator[Call]:
    """A split of what was never merged is refused."""
    for word, name in (("split", "mergeId"), ("rejoin", "splitId")):
        path = f"/v1/profiles/{{reference}}/{word}"
        yield Call("post", path, f"{who}/{word}", {name: "0" * 24}, (404,))
        yield Call("post", path, f"{who}/{word}", {"none": 1}, (400,))
    revert = "/v1/profiles/{reference}/revert"
    yield Call("post", revert, f"{who}/revert", {"source": "nobody", "dryRun": True})
    yield Call("post", revert, f"{who}/revert", {"source": "nobody", "since": "no time"}, (400,))


def _of_people(story: Story) -> Iterator[Call]:
    at = quote(story.now.isoformat() if story.clock == "replay" else datetime.now(UTC).isoformat())
    for who, is_known in _PEOPLE:
        status = (200,) if is_known else (404,)
        where, path = f"/v1/profiles/{quote(who, safe='')}", "/v1/profiles/{reference}"
        for part in ("", "/timeline", "/timeline?limit=3", "/consent", "/export", "/why", "/why?action=hero"):
            yield Call("get", path + part.partition("?")[0], where + part, None, status)
        yield Call("get", path + "/why", f"{where}/why?action=none", None, (404,))
        yield Call("get", path, f"{where}?at={at}", None, (404,) if "gone" in who else status)
    ada = "/v1/profiles/user_id:ada"
    timeline = story.client.get(f"{ada}/timeline?limit=10000", headers={"X-API-Key": SERVER}).json()["entries"]
    sends = {entry["detail"]["send"] for entry in timeline if "send" in entry.get("detail", {})}
    for send in sends:
        yield Call("get", "/v1/profiles/{reference}/messages/{send_id}", f"{ada}/messages/{send}")
    yield Call("get", "/v1/profiles/{reference}/messages/{send_id}", f"{ada}/messages/{'0' * 24}", None, (404,))
    for part in ("", "?limit=1", "?profile=user_id:ada", "?channel=sms"):
        yield Call("get", "/v1/sandbox", f"/v1/sandbox{part}")
    pin = "/v1/profiles/{reference}/pin"
    yield Call("post", pin, f"{ada}/pin", None, (403,) if story.clock == "replay" else (200,))
    for where in (f"{ada}/pin", "/v1/profiles/user_id:dora/pin"):
        yield Call("delete", pin, where)
    yield from _of_splits(story, ada)
    yield Call("delete", "/v1/profiles/{reference}", ada)
    yield Call("delete", "/v1/profiles/{reference}", ada, None, (404,))
    yield Call("get", "/v1/profiles/{reference}", ada, None, (404,))


# -- the answers


def read_back(story: Story, folder: Path, elsewhere: Collection[str] = ()) -> tuple[list[str], set[str], set[str]]:
    """Make all calls but those that are made `elsewhere`. Returns the faults of the answers, the operations that nobody
    calls, and the operations whose answers the document does not describe."""
    described = story.client.get("/openapi.json").json()
    found: list[str] = []
    left = _operations(described)
    undescribed = {name for name in left if not _schema_of(described, *name.split(" "), "200", "application/json")}
    for call in calls(story, folder):
        if call.operation not in elsewhere:
            answer = story.asks(call.method.upper(), call.where, call.body, call.key)
            found += _faults(described, call, answer)
        left.discard(call.operation)
    return found, left, undescribed - _PAGES


_PAGES = {"get /metrics", *(f"{method} /{page}/{{token}}" for method in ("get", "post") for page in "uc")}


def _operations(described: Mapping[str, Any]) -> set[str]:
    return {f"{method} {path}" for path, methods in described["paths"].items() for method in methods}


def _faults(described: Mapping[str, Any], call: Call, answer: httpx.Response) -> Iterator[str]:
    said = f"{call.method} {call.where}: {answer.status_code}: {answer.text[:200]}"
    if answer.status_code not in call.wanted:
        yield f"{said}: wanted {call.wanted}"
    kind = answer.headers.get("content-type", "").partition(";")[0]
    is_own = call.path.startswith(("/ofrep", "/u/", "/c/"))
    if answer.status_code >= 400 and not is_own and kind != "application/problem+json":
        yield f"{said}: is no problem but {kind}"
    schema = _schema_of(described, call.method, call.path, str(answer.status_code), kind)
    if schema and kind.endswith("json"):
        whole = jsonschema.Draft202012Validator({**schema, "components": described.get("components", {})})
        yield from (f"{said}: {fault.json_path}: {fault.message[:200]}" for fault in whole.iter_errors(answer.json()))


def _schema_of(described: Mapping[str, Any], method: str, path: str, status: str, kind: str) -> dict[str, Any]:
    """The document's schema of such an answer; empty where it has none."""
    responses = described["paths"][path][method]["responses"]
    told = responses.get(status) or responses.get(f"{status[0]}XX") or responses.get("default") or {}
    if "$ref" in told:
        told = described["components"]["responses"][told["$ref"].rpartition("/")[2]]
    return dict(told.get("content", {}).get(kind, {}).get("schema", {}))
