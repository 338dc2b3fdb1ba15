"""Over HTTP: what is held on a person is given out, a past moment can be read, and erased means gone from the disk."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from support.running import Engine, eventually, profile_path, run_segue

MAIL, SECRET = "grace.hopper@shop.example", "a moth in relay 70"


def test_invariant_10_over_http(shop: Engine):
    shop.identify("grace", email=MAIL, note=SECRET)
    shop.track("Product Viewed", {"product": SECRET}, anonymousId="tablet-of-grace")
    shop.track("Page Viewed", userId="grace", anonymousId="tablet-of-grace")
    shop.track("Letter Wanted", {"number": 1}, userId="grace")
    eventually(lambda: shop.sends("grace") == [("sent", "")])
    path = profile_path("user_id", "grace")
    held = shop.read(path + "/export")
    assert held["profile"]["traits"]["note"] == SECRET
    assert [event["properties"].get("product") for event in held["state"][0]["history"]].count(SECRET) == 1
    assert [entry["input"]["name"] for entry in held["journal"] if "name" in entry["input"]].count("Letter Wanted") == 1
    assert any(entry["kind"] == "send" for entry in held["audit"])

    profiles = sum(shard["profiles"] for shard in shop.status()["shards"])
    answer = shop.server.delete(path)
    assert (answer.status_code, answer.json()["erased"]) == (200, True)
    for namespace, value in (("user_id", "grace"), ("email", MAIL), ("anonymous_id", "tablet-of-grace")):
        assert shop.server.get(profile_path(namespace, value)).status_code == 404
        assert shop.server.get(profile_path(namespace, value) + "/export").status_code == 404
    assert shop.server.delete(path).status_code == 404
    assert sum(shard["profiles"] for shard in shop.status()["shards"]) == profiles - 1
    for file in shop.data.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert MAIL.encode() not in content and SECRET.encode() not in content, file
    shop.track("Product Viewed", userId="grace")
    assert [entry["summary"] for entry in shop.timeline("user_id", "grace")] == ["Product Viewed"]


def test_erasing_needs_a_server_key(shop: Engine):
    assert shop.web.delete(profile_path("user_id", "somebody")).status_code == 403


def test_a_past_moment_is_read_over_http_and_by_command(shop: Engine):
    shop.identify("alan", plan="bombe")
    then = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds")
    time_is = shop.profile("user_id", "alan")["traits"]
    eventually(lambda: datetime.now(UTC).isoformat(timespec="milliseconds") > then)
    shop.identify("alan", plan="ace")
    past = shop.server.get(profile_path("user_id", "alan"), params={"at": then})
    assert past.json()["traits"] == time_is == {"plan": "bombe"}
    assert shop.profile("user_id", "alan")["traits"] == {"plan": "ace"}
    shown = run_segue("profile", "user_id:alan", "--at", then, "--url", shop.url)
    assert shown.returncode == 0 and "bombe" in shown.stdout and "ace" not in shown.stdout
    for at, status in (("2001-01-01T00:00:00Z", 404), ("2999-01-01T00:00:00Z", 400), ("soon", 400)):
        assert shop.server.get(profile_path("user_id", "alan"), params={"at": at}).status_code == status
