"""A path that is nearly one, and a method that is nearly one: nobody is touched, and the answer says what there is."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.doors import WRITE, door, tell

ODD = (
    "/pin/",
    "/pinn",
    "/Pin",
    "/messages/x/y",
    "/messages",
    "/timelin",
    "/timeline/",
    "/ada",
    "/acme/ada",
    "/",
    "//pin",
)
OTHERS = ("/consent", "/timeline", "/why", "/export", "/messages/x")  # there are these, for another method
METHODS = ("DELETE", "GET", "HEAD", "POST", "PUT", "PATCH")


@pytest.mark.parametrize("method", METHODS)
def test_a_path_that_goes_on_as_none_does_is_never_read_as_its_beginning(tmp_path: Path, method: str):
    async def story():
        async with door(tmp_path) as client:
            await client.post("/v1/track", json={"userId": "acme", "event": "Seen"})
            for odd in ODD:
                answer = await client.request(method, f"/v1/profiles/user_id:acme{odd}")
                assert answer.status_code == 404, (odd, answer.text)
                if method != "HEAD":
                    told = answer.json()
                    assert (told["code"], told["field"]) == ("not_found", "path")
                    assert "/v1/profiles/{reference}" in told["message"]
            for other in OTHERS if method not in ("GET", "HEAD") else ():
                answer = await client.request(method, f"/v1/profiles/user_id:acme{other}")
                assert (answer.status_code, answer.json()["field"]) == (405, "method"), other
            assert (await client.get("/v1/profiles/user_id:acme")).status_code == 200

    tell(story())


@pytest.mark.parametrize(
    ("odd", "hint"),
    [
        ("/pinn", "did you mean /v1/profiles/{reference}/pin?"),
        ("/pin/", "did you mean /v1/profiles/{reference}/pin?"),
        ("/timelin", "did you mean /v1/profiles/{reference}/timeline?"),
        ("/acme/ada", "a slash within a name is written %2F"),
    ],
)
def test_what_was_meant_by_such_a_path_is_said(tmp_path: Path, odd: str, hint: str):
    async def story():
        async with door(tmp_path) as client:
            assert hint in (await client.get(f"/v1/profiles/user_id:ada{odd}")).json()["message"]

    tell(story())


@pytest.mark.parametrize("name", ["a/pin", "acme/ada", "a/", "/", "a/timeline"])
def test_a_slash_within_a_name_is_a_part_of_it(tmp_path: Path, name: str):
    async def story():
        async with door(tmp_path) as client:
            await client.post("/v1/track", json={"userId": name, "event": "Seen"})
            await client.post("/v1/track", json={"userId": "a", "event": "Seen"})
            path = f"/v1/profiles/user_id:{name.replace('/', '%2F')}"
            found = (await client.get(path)).json()["identifiers"]
            assert [each["value"] for each in found] == [name]
            assert (await client.get(f"{path}/timeline")).status_code == 200
            assert (await client.delete(path)).json()["erased"] is True
            assert (await client.get(path)).status_code == 404
            assert (await client.get("/v1/profiles/user_id:a")).status_code == 200

    tell(story())


def test_a_head_is_answered_as_a_get_without_its_body(tmp_path: Path):
    async def story():
        async with door(tmp_path) as client:
            await client.post("/v1/track", json={"userId": "ada", "event": "Seen"})
            for path in (
                "/healthz",
                "/readyz",
                "/openapi.json",
                f"/v1/projects/{WRITE}/settings",
                "/v1/projects/nobody/settings",
                "/v1/projects//settings",
                "/v1/profiles/user_id:ada",
                "/v1/track",
                "/nowhere",
            ):
                head, get = await client.head(path), await client.get(path)
                assert (head.status_code, head.content) == (get.status_code, b""), path
                assert head.headers["content-type"] == get.headers["content-type"]
                for answer in (head, get):
                    assert len(answer.headers.get_list("x-request-id")) == 1
            assert (await client.head("/healthz")).status_code == 200
            assert (await client.head("/v1/track")).status_code == 405
            assert (await client.get("/v1/projects//settings")).status_code == 404

    tell(story())
