"""What a running engine has measured, as Prometheus would read it."""

from __future__ import annotations

import csv
import json
import re
import socket
from pathlib import Path

from support.running import Engine, eventually

NAME = re.compile(r"^(ray_segue_\w+?)(?:_bucket|_sum|_count|_total)?\{(.*)\} (\S+)$", re.MULTILINE)
EXPECTED = {
    "ray_segue_http_seconds": "ingress",
    "ray_segue_decide_seconds": "shard-",
    "ray_segue_commit_seconds": "shard-",
    "ray_segue_turns": "shard-",
    "ray_segue_events": "shard-",
    "ray_segue_profiles": "shard-",
    "ray_segue_shard_epoch": "shard-",
    "ray_segue_source_last_event_seconds": "shard-",
    "ray_segue_opt_out_seconds": "shard-",
}


def test_what_is_measured_can_be_read_with_a_server_key_alone(shop: Engine):
    user = "measured"
    shop.identify(user, email=f"{user}@shop.example")
    for _ in range(4):
        shop.track("Product Viewed", {}, userId=user)
        shop.web.post("/v1/decide", json={"userId": user, "placement": "home_hero"})
        shop.web.post("/v1/decide", json={"userId": user, "placement": "empty_corner"})
    consent = {"identifiers": {"user_id": user}, "purpose": "marketing", "channel": "email", "granted": False}
    assert shop.server.post("/v1/consent", json=consent | {"source": "test"}).status_code == 200
    assert shop.web.get("/metrics").status_code == 403

    def found() -> dict[str, set[str]]:
        answer = shop.server.get("/metrics")
        assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/plain")
        assert user not in answer.text
        seen: dict[str, set[str]] = {}
        for name, labels, _ in NAME.findall(answer.text):
            seen.setdefault(name, set()).update(re.findall(r'part="([^"]*)"', labels))
        return seen

    def is_there() -> bool:
        seen = found()
        missing = {name for name, part in EXPECTED.items() if not any(p.startswith(part) for p in seen.get(name, ()))}
        assert missing == set()
        return True

    eventually(is_there, 60)


def test_requests_take_the_direct_socket_and_not_the_way_of_serve(shop: Engine):
    shop.track("Product Viewed", {}, userId="sock")
    before = requests_by_way(shop)
    for _ in range(20):
        assert shop.web.post("/v1/decide", json={"userId": "sock", "placement": "home_hero"}).status_code == 200
    after = requests_by_way(shop)
    assert after["segue_direct_sockets"] - before["segue_direct_sockets"] >= 20
    assert after["http-segue"] - before["http-segue"] < 20, "the guard alone, who asks for /healthz twice a second"


def requests_by_way(engine: Engine) -> dict[str, int]:
    """What HAProxy says each of its backends has answered."""
    folder = Path(json.loads((engine.data / "run.json").read_text())["folder"])
    (path,) = folder.glob("*/admin.sock")
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(str(path))
        asking.sendall(b"show stat\n")
        told = b"".join(iter(lambda: asking.recv(1 << 16), b"")).decode()
    rows = csv.DictReader(told.removeprefix("# ").splitlines())
    return {row["pxname"]: int(row["stot"]) for row in rows if row["svname"] == "BACKEND"}
