"""One customer under many names, over HTTP and over several shards (`docs/design/identity.md`)."""

from __future__ import annotations

import pytest
from support.running import Engine, MailServer, eventually, eventually_equal, profile_path

PAIRS = 30


def test_the_answer_to_a_merge_comes_when_both_names_lead_to_one_profile(shop: Engine):
    homes = set()
    for number in range(PAIRS):
        user, visitor = f"linked-{number}", f"visitor-{number}"
        shop.track("Product Viewed", {"product_id": number}, anonymousId=visitor)
        before = shop.profile("anonymous_id", visitor)["profileId"]
        shop.call("identify", userId=user, anonymousId=visitor, traits={"name": user})
        after = shop.profile("anonymous_id", visitor)
        assert after["profileId"] == shop.profile("user_id", user)["profileId"] != before, f"pair {number}"
        assert {(link["namespace"], link["value"]) for link in after["identifiers"]} == {
            ("user_id", user),
            ("anonymous_id", visitor),
        }
        names = [entry["summary"] for entry in shop.timeline("anonymous_id", visitor) if entry["kind"] == "event"]
        assert names == ["Product Viewed", "Identified"]
        homes.add((int(before[:4], 16) * 3 // 4096, int(after["profileId"][:4], 16) * 3 // 4096))
    assert any(first != second for first, second in homes), "no pair lived on two shards"


def test_a_purchase_that_starts_a_merge_stops_the_visitors_cart(shop: Engine, mailbox: MailServer):
    shop.identify("buyer", email="buyer@shop.example")
    shop.track("Product Added", {"cart_id": "c1"}, anonymousId="buyers-phone")
    assert [timer["journey"] for timer in shop.profile("anonymous_id", "buyers-phone")["timers"]] == ["abandoned_cart"]
    shop.track("Order Completed", {"order_id": "o1"}, userId="buyer", anonymousId="buyers-phone")
    (run,) = shop.profile("user_id", "buyer")["journeys"]
    assert (run["state"], run["endedBy"]) == ("stopped", "stop.purchase")
    assert shop.profile("user_id", "buyer")["timers"] == []
    shop.track("Letter Wanted", {"number": 1}, userId="buyer")  # what leaves later shows that the other mail never will
    eventually(lambda: len(mailbox.to("buyer@shop.example")) == 1 and shop.is_quiet())


def test_a_visitors_cart_comes_along_and_is_reminded_of_once(shop: Engine, mailbox: MailServer):
    shop.track("Product Added", {"cart_id": "c1"}, anonymousId="late-visitor")
    shop.call("identify", userId="late", anonymousId="late-visitor", traits={"email": "late@shop.example"})
    eventually_equal(lambda: shop.sends("late"), [("sent", "")])
    assert len(mailbox.to("late@shop.example")) == 1


def test_an_alias_of_another_user_is_a_question_for_the_review_queue(shop: Engine):
    shop.track("Seen", userId="old-name")
    alias = {"userId": "new-name", "previousId": "old-name"}
    shop.call("alias", **alias)
    assert shop.profile("user_id", "old-name")["profileId"] != shop.profile("user_id", "new-name")["profileId"]
    assert shop.server.post("/v1/alias", json=alias).json() == {"success": True}
    old, new = (shop.profile("user_id", name)["profileId"] for name in ("old-name", "new-name"))
    assert old != new, "a person has one user id"
    asked = shop.server.get("/v1/identity/reviews?kind=merge").json()["reviews"]
    (question,) = [entry for entry in asked if {entry["profileId"], entry["otherId"]} == {old, new}]
    assert question["reason"] == "identity.unique"
    body = {"action": "accept", "profileId": question["profileId"], "force": True}
    assert shop.server.post(f"/v1/identity/reviews/{question['id']}", json=body).status_code == 200
    eventually(
        lambda: shop.profile("user_id", "old-name")["profileId"] == shop.profile("user_id", "new-name")["profileId"]
    )


def test_an_address_finds_its_profile_however_it_is_spelled(shop: Engine):
    shop.register("spelled", email=" Mixed.Case@Shop.Example ", phone="+49 170 1234567")
    profile_id = shop.profile("user_id", "spelled")["profileId"]
    for namespace, value in (
        ("email", "mixed.case@shop.example"),
        ("email", "MIXED.CASE@SHOP.EXAMPLE"),
        ("phone", "+491701234567"),
        ("phone", "+49 (170) 123 45 67"),
        ("profile_id", profile_id),
    ):
        assert eventually(lambda: shop.profile(namespace, value))["profileId"] == profile_id  # noqa: B023


@pytest.mark.parametrize(
    "name", ["a/b", "a+b", "a b", "a%2Fb", "ä-ö-ü", "名前", "🧡", "a:b:c", "a?b#c", "a/timeline", "a&b=c", "..%2f.."]
)
def test_a_name_may_hold_what_paths_must_not(shop: Engine, name: str):
    shop.track("Seen", {"who": name}, userId=name)
    assert shop.profile("user_id", name)["identifiers"][0]["value"] == name
    (event,) = shop.timeline("user_id", name)
    assert event["properties"] == {"who": name}
    assert shop.server.get(profile_path("user_id", name) + "/why?action=spring_offer").status_code == 200


def test_a_client_that_makes_a_profile_huge_delays_nobodys_merge(shop: Engine):
    letters, jumps = shop.dead_letters(), shop.status()["clockJumps"]  # other tests use this engine too
    for start in range(0, 1_440, 100):
        shop.batch(
            [
                {"type": "identify", "anonymousId": "huge", "traits": {f"t{number}": f"{number:05}" * 6_200}}
                for number in range(start, min(start + 100, 1_440))
            ]
        )
    alias = {"userId": "survivor", "previousId": "huge"}
    assert shop.server.post("/v1/alias", json=alias).json() == {"success": True}
    shop.track("Seen", anonymousId="beside")
    shop.call("identify", userId="besides", anonymousId="beside")
    assert shop.profile("anonymous_id", "beside")["profileId"] == shop.profile("user_id", "besides")["profileId"]
    survivor = shop.profile("user_id", "survivor")
    assert survivor["profileId"] == shop.profile("anonymous_id", "huge")["profileId"]
    assert 5 <= len(survivor["traits"]) <= 9
    refused = [entry for entry in shop.timeline("user_id", "survivor") if entry.get("reason") == "limit.traits_bytes"]
    assert len(refused) == 1_440 - len(survivor["traits"])
    assert shop.dead_letters() == letters
    assert shop.status()["clockJumps"] == jumps
    eventually(lambda: shop.status()["messages"]["pending"] == 0)
