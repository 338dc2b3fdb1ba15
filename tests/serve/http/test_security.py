"""`docs/security.md`, what a public write key can do: a test for each of its sentences, by number."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.doors import served
from support.letters import SHOP, says
from support.world import ID_KEY, World, document

from engine.identity.home import home_of
from engine.inputs import ConsentChange
from engine.seeds import profile_id
from serve.http import auth
from serve.http.user_hash import hash_of

PAGE = Path(__file__).resolve().parents[3] / "docs" / "security.md"
WRITE, SERVER = "wk-of-these-tests", "sk-of-these-tests"
SOURCES = {"web": {"channel": "web", "events": ["Seen"]}, "app": {"channel": "app", "user_hash": "required"}}


class Door:
    """A running door, and its three keys."""

    def __init__(self, url: str, folder: Path) -> None:
        app = auth.create(folder / "keys.json", "app", "write")
        self.secret = auth.make_user_secret(folder / "keys.json", "app")
        self.clients = {
            name: httpx.Client(base_url=url, headers={"x-api-key": key}, trust_env=False, timeout=30)
            for name, key in (("web", WRITE), ("server", SERVER), ("app", app))
        }
        for _ in range(1_000):
            if self.post("app", "/v1/decide", {"placement": "home_hero", "anonymousId": "x"}).status_code == 200:
                break

    def post(self, key: str, path: str, body: Any) -> httpx.Response:
        return self.clients[key].post(path, json=body)

    def track(self, key: str, event: str, **fields: Any) -> None:
        answer = self.post(key, "/v1/track", {"event": event, **fields})
        assert (answer.status_code, answer.json()) == (200, {"success": True})

    def profile(self, reference: str) -> httpx.Response:
        return self.clients["server"].get(f"/v1/profiles/{reference}")

    def timeline(self, reference: str) -> list[dict[str, Any]]:
        return list(self.clients["server"].get(f"/v1/profiles/{reference}/timeline").json()["entries"])


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("door")
    with served(folder, document(sources={"sources": SOURCES}), WRITE, SERVER) as url:
        yield Door(url, folder)


@pytest.fixture
def world() -> World:
    return World(SHOP, shards=2)


def test_every_sentence_of_the_page_has_a_test():
    numbers = re.findall(r"^(\d+)\. ", PAGE.read_text("utf-8"), re.MULTILINE)
    tests = re.findall(r"^def test_(\d+)_", Path(__file__).read_text("utf-8"), re.MULTILINE)
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)]
    assert sorted(set(map(int, tests))) == list(map(int, numbers))


def test_1_it_reads_and_changes_nothing_of_others(door: Door):
    door.track("server", "Seen", userId="read")
    reference = "/v1/profiles/user_id:read"
    web = door.clients["web"]
    for path in ("", "/timeline", "/consent", "/why", "/export"):
        assert web.get(reference + path).status_code == 403
    for path in ("/v1/dead-letters", "/v1/status", "/v1/catalog", "/metrics"):
        assert web.get(path).status_code == 403
    assert web.delete(reference).status_code == web.post(f"{reference}/pin").status_code == 403
    bodies = {
        "/v1/consent": {"identifiers": {"user_id": "read"}, "granted": False, "source": "x"},
        "/v1/catalog": {"files": {}},
        "/v1/clock": {"watermark": 1},
        "/v1/backup": {"directory": "/nowhere/at/all"},
        "/v1/import": {"batch": []},
    }
    assert {path: door.post("web", path, body).status_code for path, body in bodies.items()} == dict.fromkeys(
        bodies, 403
    )
    explained = {"placement": "home_hero", "userId": "read", "explain": True}
    assert door.post("web", "/v1/decide", explained).status_code == 403


@pytest.mark.parametrize("named", [{"email": "a@shop.example"}, {"profile_id": "0" * 30}, {"loyalty_id": "7"}])
def test_2_it_names_nobody_by_anything_else(door: Door, named: dict[str, str]):
    asked = {"placement": "home_hero", "identifiers": named}
    assert door.post("web", "/v1/decide", asked).status_code == 403
    assert door.post("web", "/v1/consent", {"identifiers": named, "granted": False, "source": "x"}).status_code == 403


def test_3_it_withdraws_for_anybody_under_its_own_name(door: Door):
    said = {"granted": False, "purpose": "marketing", "channel": "email", "source": "prefcentre"}
    door.track("web", "Consent Updated", userId="withdrawn", properties=said)
    (word,) = door.profile("user_id:withdrawn").json()["consent"]
    assert (word["granted"], word["source"]) == (False, "web")


def test_4_what_it_grants_has_no_effect(door: Door):
    said = {"granted": True, "purpose": "marketing", "channel": "email", "source": "prefcentre"}
    door.track("web", "Consent Updated", userId="granted", properties=said)
    known = door.profile("user_id:granted").json()
    assert known["consent"] == [] and [word["source"] for word in known["awaiting"]] == ["web"]


def test_5_it_joins_no_other_customer(door: Door):
    door.track("server", "Seen", userId="victim5", anonymousId="laptop5")
    victim = door.profile("user_id:victim5").json()["profileId"]
    assert door.post("web", "/v1/alias", {"userId": "mallory5", "previousId": "victim5"}).status_code == 200
    for kind in ("identify", "track", "page"):
        body = {"userId": "mallory5", "anonymousId": "laptop5", "event": "Seen"}
        assert door.post("web", f"/v1/{kind}", body).json() == {"success": True}
    assert door.profile("user_id:victim5").json()["profileId"] == victim
    assert door.profile("anonymous_id:laptop5").json()["profileId"] == victim
    mallory = door.timeline("user_id:mallory5")
    assert [row["reason"] for row in mallory if row["kind"] == "identity"] == ["write_key.user_id", "identity.shared"]
    assert [row["summary"] for row in mallory if row["kind"] == "event"] == [
        "Aliased",
        "Identified",
        "Seen",
        "Page Viewed",
    ]
    door.track("web", "Seen", anonymousId="phone5")
    assert door.post("web", "/v1/alias", {"userId": "mallory5", "previousId": "phone5"}).status_code == 200
    assert (
        door.profile("anonymous_id:phone5").json()["profileId"] == door.profile("user_id:mallory5").json()["profileId"]
    )


def test_6_it_takes_no_address_and_no_card_from_anybody(door: Door):
    said = {"identifiers": {"email": "reader@shop.example"}, "granted": False, "source": "letter"}
    reader = door.post("server", "/v1/consent", said).json()["profileId"]
    body = {"userId": "mallory6", "traits": {"email": "reader@shop.example"}}
    assert door.post("web", "/v1/identify", body).status_code == 200
    assert door.profile("email:reader@shop.example").json()["profileId"] == reader
    assert door.profile("user_id:mallory6").json()["profileId"] != reader


def test_7_it_replaces_no_verified_address(door: Door):
    for key, email in (("server", "ada@shop.example"), ("web", "mallory@evil.example"), ("web", None)):
        assert door.post(key, "/v1/identify", {"userId": "ada7", "traits": {"email": email}}).status_code == 200
    known = door.profile("user_id:ada7").json()
    assert known["addresses"]["email"] == known["traits"]["email"] == "ada@shop.example"
    assert {link["value"]: link["verified"] for link in known["identifiers"] if "verified" in link} == {
        "ada@shop.example": True,
        "mallory@evil.example": False,
    }


def test_8_an_unverified_address_hears_nothing_of_what_was_before(world: World):
    ada = world.customer("ada")
    says(ada, email="ada@shop.example", public=True)
    ada.does("Order Placed", order_id="o")
    world.advance(minutes=1)
    says(ada, email="mallory@evil.example", public=True)
    world.advance(hours=2)
    assert world.mailbox == [] and ada.outcomes("held") == [("receipt", "fit.unverified_email")]


def test_9_ten_service_messages_a_day_go_to_one_address_of_many_strangers(world: World):
    for number in range(15):
        person = world.customer(f"user{number}")
        says(person, email="stranger@shop.example", public=True)
        for order in range(2):
            person.does("Order Completed", order_id=f"o{order}", public=True)
    world.advance(minutes=5)
    assert len(world.mailbox) == 10


@pytest.mark.parametrize("is_verified", [False, True])
def test_10_a_strangers_words_are_cut(world: World, is_verified: bool):
    ada = world.customer("ada")
    says(ada, email="ada@shop.example", public=not is_verified)
    says(ada, name="Pay at https://evil.example\nnow", public=True)
    ada.does("Order Completed", order_id="o", deep={"note": ["x" * 99]}, public=True)
    world.settle()
    (mail,) = world.mailbox
    assert mail["traits"]["name"] == "Pay at now"
    assert mail["event"] == {"order_id": "o", "deep": {"note": ["x" * 59 + "…"]}}


def test_11_it_sends_what_its_source_may(door: Door):
    before = door.clients["server"].get("/v1/status").json()["events"]["quarantined"]
    door.track("web", "Order Completed", userId="ada11", messageId="m11")
    assert door.profile("user_id:ada11").status_code == 404
    assert door.clients["server"].get("/v1/status").json()["events"]["quarantined"] == before + 1
    letters = door.clients["server"].get("/v1/dead-letters").json()["deadLetters"]
    assert letters[0]["reason"] == "source: a write key of web may not send Order Completed"
    assert door.post("server", f"/v1/dead-letters/{letters[0]['id']}/retry", {}).status_code == 400
    door.track("web", "Seen", userId="ada11")
    door.track("server", "Order Completed", userId="ada11")
    assert [row["summary"] for row in door.timeline("user_id:ada11")] == ["Seen", "Order Completed"]


def test_12_a_user_is_proved_where_the_source_says_so(door: Door):
    good = hash_of(door.secret, "ada12")
    for told in ({}, {"userHash": "0" * 64}, {"userHash": 7}, {"context": {"userHash": hash_of(door.secret, "bob")}}):
        body = {"userId": "ada12", "event": "Seen", **told}
        answer = door.post("app", "/v1/track", body)
        assert (answer.status_code, answer.json()["field"]) == (401, "userHash")
        batch = door.post("app", "/v1/batch", {"batch": [{"type": "track", **body}]}).json()
        assert [item["field"] for item in batch["rejected"]] == ["userHash"]
        asked = {
            "placement": "home_hero",
            "userId": "ada12",
            **({"userHash": told["userHash"]} if "userHash" in told else {}),
        }
        assert door.post("app", "/v1/decide", asked).status_code in (400, 401)
        flag = {
            "context": {"targetingKey": "ada12", **{name: value for name, value in told.items() if name != "context"}}
        }
        assert door.post("app", "/ofrep/v1/evaluate/flags/home_hero", flag).status_code == 401
    assert door.profile("user_id:ada12").status_code == 404
    door.track("app", "Seen", anonymousId="x12")
    door.track("app", "Seen", userId="ada12", userHash=good.upper())
    door.track("app", "Seen", userId=" ada12 ", context={"userHash": good})
    batch = {"batch": [{"type": "track", "event": "Seen", "userId": "ada12"}], "context": {"userHash": good}}
    assert door.post("app", "/v1/batch", batch).json() == {"success": True}
    asked = {"placement": "home_hero", "userId": "ada12", "userHash": good}
    assert door.post("app", "/v1/decide", asked).status_code == 200
    flag = {"context": {"targetingKey": "ada12", "userHash": good}}
    assert door.post("app", "/ofrep/v1/evaluate/flags/home_hero", flag).status_code == 200
    assert len([row for row in door.timeline("user_id:ada12") if row["kind"] == "event"]) == 3
    door.track("server", "Seen", userId="ada12")


def test_13_a_proved_user_has_proved_no_mailbox(door: Door):
    body = {"userId": "ada13", "userHash": hash_of(door.secret, "ada13"), "traits": {"email": "ada13@shop.example"}}
    assert door.post("app", "/v1/identify", body).status_code == 200
    (link,) = (each for each in door.profile("user_id:ada13").json()["identifiers"] if each["namespace"] == "email")
    assert link["verified"] is False


def test_14_what_it_reports_carries_its_source(door: Door):
    door.track("web", "Seen", userId="ada14")
    assert [row["source"] for row in door.timeline("user_id:ada14")] == ["web"]


# -- a profile named by its own id, by whoever may


def test_a_profiles_own_id_finds_it_through_merges_and_never_makes_one(door: Door):
    door.track("server", "Seen", anonymousId="laptop15")
    visitor = door.profile("anonymous_id:laptop15").json()["profileId"]
    door.track("server", "Seen", userId="ada15", anonymousId="laptop15")
    ada = door.profile("user_id:ada15").json()["profileId"]
    said = {"purpose": "marketing", "channel": "email", "granted": False, "source": "desk"}
    for known in (visitor, ada, ada.upper()):
        answer = door.post("server", "/v1/consent", said | {"identifiers": {"profile_id": known}})
        assert answer.json()["profileId"] == ada
        asked = {"placement": "home_hero", "identifiers": {"profile_id": known}}
        assert door.post("server", "/v1/decide", asked).json()["profileId"] == ada
    assert [word["granted"] for word in door.profile("user_id:ada15").json()["consent"]] == [False]


@pytest.mark.parametrize(
    ("unknown", "status"), [("0a1b" + "7" * 26, 404), ("zz", 400), ("ffff" + "0" * 26, 400), ("", 400)]
)
def test_an_unknown_one_is_not_found_wherever_it_is_named(door: Door, unknown: str, status: int):
    before = door.clients["server"].get("/v1/status").json()["shards"][0]["profiles"]
    said = {"purpose": "marketing", "channel": "email", "granted": False, "source": "desk"}
    named = {"identifiers": {"profile_id": unknown}}
    assert door.post("server", "/v1/consent", said | named).status_code == status
    assert (
        door.post("server", "/v1/decide", {"placement": "home_hero", "requestId": "r", **named}).status_code == status
    )
    server, path = door.clients["server"], f"/v1/profiles/profile_id:{unknown}"
    for route in ("", "/timeline", "/consent", "/why", "/export"):
        assert server.get(path + route).status_code == status
    assert server.delete(path).status_code == server.post(f"{path}/pin").status_code == status
    assert server.delete(f"{path}/pin").status_code == status
    assert server.get("/v1/status").json()["shards"][0]["profiles"] == before


def test_the_id_of_an_erased_person_is_nobodys(door: Door):
    door.track("server", "Seen", userId="gone16")
    gone = door.profile("user_id:gone16").json()["profileId"]
    assert door.clients["server"].delete("/v1/profiles/user_id:gone16").status_code == 200
    door.track("server", "Seen", userId="gone16")
    said = {"purpose": "marketing", "channel": "email", "granted": False, "source": "desk"}
    assert door.post("server", "/v1/consent", said | {"identifiers": {"profile_id": gone}}).status_code == 404
    assert door.profile("user_id:gone16").json()["consent"] == []


# -- a word by an address


def test_an_opt_out_by_an_address_is_answered_when_everybody_who_has_it_knows(door: Door):
    for user in ("ada17", "bob17", "carl17"):
        door.post("server", "/v1/identify", {"userId": user, "traits": {"email": "shared17@shop.example"}})
    said = {"purpose": "marketing", "channel": "email", "granted": False, "source": "desk"}
    answer = door.post("server", "/v1/consent", said | {"identifiers": {"email": "shared17@shop.example"}})
    assert answer.json()["effective"]
    for user in ("ada17", "bob17", "carl17"):
        (word,) = door.profile(f"user_id:{user}").json()["consent"]
        assert (word["granted"], word["binds"]) == (False, "address")
    granted = said | {"granted": True, "identifiers": {"email": "shared17@shop.example"}}
    assert door.post("server", "/v1/consent", granted).json()["effective"]
    assert [door.profile(f"user_id:{user}").json()["consent"][0]["granted"] for user in ("ada17", "bob17")] == [
        True,
        True,
    ]


def token(purpose: str, *parts: Any) -> str:
    from engine import seeds
    from engine.recent_events import encoder

    return seeds.sign(ID_KEY, purpose, encoder.encode(list(parts)))


@pytest.mark.parametrize("old", [True, False])
def test_one_click_binds_the_address_and_links_of_long_ago_the_person(door: Door, old: bool):
    users, email = [f"{name}18{old}" for name in ("ada", "bob")], f"shared18{old}@shop.example".lower()
    for user in users:
        door.post("server", "/v1/identify", {"userId": user, "traits": {"email": email}})
    parts = [profile_id(ID_KEY, "user_id", users[0]), "marketing", "email", "send"]
    place = [] if old else [profile_id(ID_KEY, "email", email)]
    assert door.clients["web"].post(f"/u/{token('opt-out', *parts, *place)}").status_code == 200
    found = [[word["granted"] for word in door.profile(f"user_id:{user}").json()["consent"]] for user in users]
    assert found == ([[False], []] if old else [[False], [False]])


def test_a_mailbox_confirms_itself_by_a_button_and_not_by_a_look(door: Door):
    from actors.platform.clock import WallClock

    door.post("web", "/v1/identify", {"userId": "ada19", "traits": {"email": "ada19@shop.example"}})
    parts = (profile_id(ID_KEY, "user_id", "ada19"), profile_id(ID_KEY, "email", "ada19@shop.example"))
    link = f"/c/{token('confirm', *parts, WallClock().now_ms())}"

    def verified() -> bool:
        known = door.profile("user_id:ada19").json()["identifiers"]
        return next(bool(each["verified"]) for each in known if each["namespace"] == "email")

    assert door.clients["web"].get(link).status_code == 200 and not verified()
    for wrong in (f"/c/{token('confirm', *parts, 1)}", f"/c/{token('opt-out', *parts, 1)}", "/c/x", link[:-2]):
        assert door.clients["web"].post(wrong).status_code == door.clients["web"].get(wrong).status_code == 404
    assert not verified()
    assert door.clients["web"].post(link).status_code == 200 and verified()


def test_the_home_of_a_statement_is_the_profile_that_it_names(world: World):
    change = ConsentChange(purpose="*", channel="*", granted=False, at_ms=1, source="s", profile_id="0" * 30)
    assert home_of(world.catalog, change) == "0" * 30
