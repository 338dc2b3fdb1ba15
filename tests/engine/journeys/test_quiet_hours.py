"""Quiet hours: what waits, for how long, where the customer is; and what does not wait."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from support.told import Told
from support.world import HOUR, MINUTE, Customer, World, action, cart_journey, document

from engine.catalog import zones
from engine.catalog.compile import examined, problems_of
from engine.contact import whereabouts

NIGHT = {"id": "night", "hours": "21:00-08:00"}


def shop(*rules: dict[str, Any], send: Any = None, guards: Any = None, **changes: Any) -> dict[str, Any]:
    """A German shop that writes to whoever has started, by e-mail."""
    step = {"action": "news", "channel": "email"} | (send or {})
    journey = {"id": "way", "tier": "promotional", "trigger": {"event": "Started"}, "steps": [{"send": step}]}
    quiet = {"rules": list(rules) or [NIGHT]} | changes.pop("quiet", {})
    workspace = {"zone": "Europe/Berlin", "country": "DE"} | changes.pop("workspace", {})
    return document(
        actions=[action("news", channels=["email", "sms"], **changes)],
        journeys=[journey | ({"guards": guards} if guards else {})],
        policies={"workspace": workspace, "quiet_hours": quiet},
    )


def at(written: str, zone: str = "Europe/Berlin") -> int:
    return int(datetime.fromisoformat(written).replace(tzinfo=zones.zone(zone)).timestamp() * 1000)


def somebody(world: World, when: str, **known: Any) -> Customer:
    """A customer with consent, in a world whose clock shows `when` in Berlin."""
    world.advance(at(when) - world.now_ms)
    who = world.customer("ann@shop.example", consents=("marketing:email", "marketing:sms"))
    if zone := known.pop("zone", ""):
        who.does("Page Viewed", context={"timezone": zone})
    if known:
        who.identifies(**known)
    return who


def sent_at(who: Customer, zone: str = "Europe/Berlin") -> list[str]:
    """When messages left, by the clock in a zone, to the minute."""
    left = [entry.at_ms for entry in who.timeline if entry.kind == "send" and entry.outcome == "sent"]
    shown = [datetime.fromtimestamp(each // MINUTE * 60, zones.zone(zone)) for each in left]
    return [each.strftime("%d %H:%M") for each in shown]


def test_a_message_waits_for_the_morning_and_says_why():
    world = World(shop())
    ann = somebody(world, "2026-03-03 22:30", zone="Europe/Berlin")
    ann.does("Started")
    assert ann.outcomes("held") == [("news", "quiet_hours")]
    held = next(entry for entry in ann.timeline if entry.outcome == "held")
    told = {key: held.detail[key] for key in ("rules", "zones", "zoneFrom")}
    assert told == {"rules": ["night"], "zones": ["Europe/Berlin"], "zoneFrom": "stated"}
    world.advance(days=2)
    assert sent_at(ann) == ["04 08:00"]


@pytest.mark.parametrize("on_held", ["exit", "continue", "wait"])
def test_it_waits_whatever_on_held_says(on_held: str):
    world = World(shop(send={"on_held": on_held}))
    ann = somebody(world, "2026-03-03 22:30")
    ann.does("Started")
    world.advance(days=2)
    assert sent_at(ann) == ["04 08:00"]


@pytest.mark.parametrize("on_held", ["exit", "continue", "wait"])
def test_with_then_drop_it_never_goes(on_held: str):
    world = World(shop(NIGHT | {"then": "drop"}, send={"on_held": on_held}))
    ann = somebody(world, "2026-03-03 22:30")
    ann.does("Started")
    assert (ann.outcomes("held"), ann.run("way").state == "active") == ([("news", "quiet_hours")], False)
    world.advance(days=2)
    assert ann.sends == []


def test_service_messages_leave_at_once_unless_a_rule_names_their_tier():
    for match, left in (({}, ["03 22:30"]), ({"tier": ["service", "promotional"]}, ["04 08:00"])):
        world = World(shop(NIGHT | {"match": match}, tier="service", purpose="service"))
        ann = somebody(world, "2026-03-03 22:30")
        ann.does("Started")
        world.advance(days=2)
        assert sent_at(ann) == left


def test_a_rule_is_about_its_channels():
    world = World(shop(NIGHT | {"match": {"channel": "sms"}}))
    ann = somebody(world, "2026-03-03 22:30")
    ann.does("Started")
    world.advance(days=1)
    assert sent_at(ann) == ["03 22:30"]


def test_the_next_channel_is_tried_where_a_step_says_so():
    fallback = {"choose": {"actions": ["news"]}, "channels": ["sms", "email"], "fallback": {"on": ["held"]}}
    plain = shop(NIGHT | {"match": {"channel": "sms"}})
    plain["journeys/way.yaml"]["steps"] = [{"send": fallback}]
    ann = somebody(World(plain), "2026-03-03 22:30")
    ann.does("Started")
    ann.world.settle()
    assert [entry.channel for entry in ann.timeline if entry.outcome == "sent"] == ["email"]


def test_who_moves_while_waiting_waits_as_long_as_it_is_quiet_where_they_are_now():
    """In New York it is 16:30 when it is 22:30 in Berlin, so the message leaves in the turn that tells the move. In
    Tokyo it is 6:30, so it leaves at eight there, which is midnight in Berlin."""
    for zone, left in (("America/New_York", "03 23:00"), ("Asia/Tokyo", "04 00:00"), ("Europe/Lisbon", "04 09:00")):
        world = World(shop())
        ann = somebody(world, "2026-03-03 22:30", zone="Europe/Berlin")
        ann.does("Started")
        world.advance(minutes=30)
        ann.does("Page Viewed", context={"timezone": zone})
        world.advance(days=2)
        assert (zone, sent_at(ann)) == (zone, [left])


def test_who_moves_into_the_night_waits_again():
    """At eight in Berlin it is three in New York, and the customer is there by then."""
    world = World(shop())
    ann = somebody(world, "2026-03-03 22:30", zone="Europe/Berlin")
    ann.does("Started")
    world.advance(at("2026-03-04 07:59") - world.now_ms)
    ann.does("Page Viewed", context={"timezone": "America/New_York"})
    world.advance(days=2)
    assert sent_at(ann, "America/New_York") == ["04 08:00"]


@pytest.mark.parametrize("paused", ["action", "journey"])
def test_a_pause_of_a_month_leaves_a_message_its_night(paused: str):
    """It is live again in the evening, when it is quiet until the morning."""
    world = Told(shop(**({"status": "paused"} if paused == "action" else {})))
    ann = somebody(world, "2026-03-03 22:30")
    ann.does("Started")
    if paused == "journey":
        world.says("way", "paused")
    world.advance(at("2026-04-05 23:00") - world.now_ms)
    world.takes(shop()) if paused == "action" else world.says("way", "live")
    world.advance(days=1)
    assert sent_at(ann) == ["06 08:00"]


def test_a_message_that_a_cap_has_held_for_a_month_still_waits_for_the_morning():
    plain = shop(send={"on_held": "wait"})
    plain["policies.yaml"]["caps"] = [{"id": "few", "limit": 1, "per": "744h", "match": {"channel": "email"}}]
    world = World(plain)
    ann = somebody(world, "2026-03-03 20:30")
    ann.does("Started")
    world.advance(HOUR)
    ann.does("Started")
    world.advance(days=40)
    assert sent_at(ann) == ["03 20:30", "04 08:00"]


def test_a_decided_message_that_could_not_leave_in_time_waits_too():
    """Its provider was away in the evening and is back at night."""
    world = World(shop())
    ann = somebody(world, "2026-03-03 20:50")
    world.provider_says = "retry"
    ann.does("Started")
    world.advance(minutes=15)
    world.provider_says = "sent"
    world.advance(days=1)
    assert sent_at(ann) == ["04 08:00"]
    assert ("news", "quiet_hours") in ann.outcomes("waits")


def test_who_moves_while_a_decided_message_waits_gets_it_when_it_is_quiet_no_more_where_they_are_now():
    """In Tokyo it is half past six when it is half past ten at night in Berlin; in Honolulu it is noon."""
    for zone, left in (("Asia/Tokyo", "04 00:00"), ("Pacific/Honolulu", "03 22:30"), ("Europe/Lisbon", "04 09:00")):
        world = World(shop())
        ann = somebody(world, "2026-03-03 20:50", zone="Europe/Berlin")
        world.provider_says = "retry"
        ann.does("Started")
        world.advance(minutes=15)
        world.provider_says = "sent"
        world.advance(at("2026-03-03 22:30") - world.now_ms)
        assert ("news", "quiet_hours") in ann.outcomes("waits")
        ann.does("Page Viewed", context={"timezone": zone})
        world.advance(days=1)
        assert (zone, sent_at(ann)) == (zone, [left])


def test_a_decided_message_that_may_not_wait_is_withdrawn():
    world = World(shop(NIGHT | {"then": "drop"}))
    ann = somebody(world, "2026-03-03 20:50")
    world.provider_says = "retry"
    ann.does("Started")
    world.advance(hours=2)
    world.provider_says = "sent"
    world.advance(days=1)
    assert (ann.sends, ann.outcomes("withdrawn")) == ([], [("news", "quiet_hours")])


def test_a_message_that_is_worthless_before_the_morning_is_not_kept_until_then():
    world = World(shop(guards={"deadline": "3h"}))
    ann = somebody(world, "2026-03-03 22:30")
    ann.does("Started")
    world.advance(hours=4)
    assert (ann.sends, ann.run("way").state) == ([], "completed")
    assert ann.outcomes("held") == [("news", "quiet_hours"), ("news", "journey.deadline")]


def test_a_purchase_during_the_night_ends_what_waits():
    plain = shop()
    plain |= {"journeys/cart.yaml": cart_journey(id="cart"), "actions/cart_reminder.yaml": action("cart_reminder")}
    stop = {"id": "purchase", "on": "Order Completed", "tier": "promotional"}
    plain["policies.yaml"] = plain["policies.yaml"] | {"stops": [stop]}
    world = World(plain)
    ann = somebody(world, "2026-03-03 22:30")
    ann.does("Product Added", cart_id="c1")
    world.advance(hours=2)
    assert ann.outcomes("held") == [("cart_reminder", "quiet_hours")]
    ann.does("Order Completed")
    world.advance(days=2)
    assert ann.sends == []


def test_a_rule_that_begins_while_a_run_waits_is_asked_when_it_wakes():
    """The active catalog says when it is quiet, also for runs that entered under an older one."""
    world = Told(shop())
    ann = somebody(world, "2026-03-03 22:30")
    ann.does("Started")
    world.takes(shop({"id": "night", "hours": "21:00-10:00"}))
    world.advance(days=1)
    assert sent_at(ann) == ["04 10:00"]


# -- where somebody is, and how we know


def test_without_a_stated_zone_the_telephone_says_it():
    world = World(shop())
    ann = somebody(world, "2026-03-03 22:30", phone="+12125550123")
    assert whereabouts.of(ann.profile, world.catalog).told_by == "phone"
    ann.does("Started")
    world.advance(hours=1)
    assert sent_at(ann, "America/New_York") == ["03 16:30"]


def test_a_number_that_is_free_to_call_says_nothing():
    world = World(shop())
    ann = somebody(world, "2026-03-03 22:30", phone="+18005550123")
    assert whereabouts.of(ann.profile, world.catalog).told_by == "unknown"


def test_without_a_telephone_the_address_says_it_and_every_zone_of_its_country_counts():
    """In the United States from Hawaii to New York 13:00 to 21:00 in New York is free everywhere, give or take the
    islands further west."""
    world = World(shop(workspace={"country": "DE"}))
    ann = somebody(world, "2026-03-03 22:30", address={"country": "United States"})
    where = whereabouts.of(ann.profile, world.catalog)
    assert (where.told_by, len(where.places)) == ("address", len(zones.of_country("US")))
    world.advance(at("2026-03-04 09:00", "America/New_York") - world.now_ms)
    ann.does("Started")
    world.advance(days=1)
    assert sent_at(ann, "Pacific/Honolulu") == ["04 08:00"]
    assert sent_at(ann, "America/Adak") == ["04 08:00"]


def test_a_telephone_and_an_address_of_different_countries_both_count():
    world = World(shop())
    ann = somebody(world, "2026-03-03 12:00", phone="+12125550123", country="DE")
    ann.does("Started")  # noon in Berlin, six in New York
    world.advance(days=1)
    assert sent_at(ann, "America/New_York") == ["03 08:00"]


def test_of_whom_nothing_is_known_the_most_restrictive_plausible_zone_counts():
    plain = shop(quiet={"if_unknown": ["DE", "US"]})
    world = World(plain)
    ann = somebody(world, "2026-03-03 12:00")
    assert whereabouts.of(ann.profile, world.catalog).told_by == "unknown"
    ann.does("Started")
    world.advance(days=1)
    assert sent_at(ann, "Pacific/Honolulu") == ["03 08:00"]
    assert sent_at(ann) == ["03 19:00"]


def test_without_if_unknown_the_country_of_the_workspace_counts():
    world = World(shop(workspace={"zone": "America/New_York", "country": "US"}))
    ann = somebody(world, "2026-03-03 15:00")  # nine in New York, four in Honolulu
    ann.does("Started")
    world.advance(days=1)
    assert sent_at(ann, "Pacific/Honolulu") == ["03 08:00"]


def test_a_zone_that_is_none_counts_as_unknown_and_a_trait_may_state_one():
    world = World(shop())
    ann = somebody(world, "2026-03-03 12:00", zone="Mars/Olympus")
    assert whereabouts.of(ann.profile, world.catalog).told_by == "unknown"
    ann.identifies(timezone="Asia/Tokyo")
    assert whereabouts.of(ann.profile, world.catalog).places[0].zone == "Asia/Tokyo"
    world.advance(HOUR)
    ann.does("Page Viewed", context={"timezone": "Europe/Rome"})
    assert whereabouts.of(ann.profile, world.catalog).places[0].zone == "Europe/Rome"


@pytest.mark.parametrize("said", ["", "  ", "undefined", "Etc/Unknown", "GMT+2"])
def test_a_device_that_knows_no_zone_leaves_the_known_one(said: str):
    world = World(shop())
    ann = somebody(world, "2026-03-03 12:00", zone="America/Los_Angeles")
    world.advance(HOUR)
    ann.does("Page Viewed", context={"timezone": said})
    world.advance(at("2026-03-04 04:00", "America/Los_Angeles") - world.now_ms)
    ann.does("Started")
    world.advance(8 * HOUR)
    assert sent_at(ann, "America/Los_Angeles") == ["04 08:00"]


def test_rules_of_a_jurisdiction_bind_wherever_its_telephone_is_used():
    """A rule of the United States is about a customer with a number there who is in Berlin now, by the clock in
    Berlin; it is not about one whose number and zone are German."""
    rule = {"id": "tcpa", "hours": "21:00-08:00", "in": "US", "match": {"channel": "email"}}
    for phone, left in (("+12125550123", ["04 08:00"]), ("+493012345678", ["03 22:30"])):
        world = World(shop(rule))
        ann = somebody(world, "2026-03-03 22:30", zone="Europe/Berlin", phone=phone)
        ann.does("Started")
        world.advance(days=1)
        assert sent_at(ann) == left


def test_public_holidays_are_those_of_the_customers_country():
    """6 April 2026 is Easter Monday in Germany, and no holiday in Scotland's or America's common calendar."""
    rule = NIGHT | {"holidays": True}
    for zone, left in (("Europe/Berlin", ["07 08:00"]), ("America/New_York", ["06 18:00"])):
        world = World(shop(rule))
        ann = somebody(world, "2026-04-06 18:00", zone=zone)
        ann.does("Started")
        world.advance(days=2)
        assert sent_at(ann) == left


def test_times_of_a_journey_are_meant_in_the_same_zone():
    """The telephone says New York, so nine in the morning is nine there; an address of a country with many zones does
    not say enough, and the workspace's zone counts."""
    for known, left in (
        ({"phone": "+12125550123"}, "15:00"),
        ({"country": "US"}, "09:00"),
        ({"country": "GB"}, "10:00"),
    ):
        plain = shop({"id": "never", "hours": "03:17-03:18"})
        plain["journeys/way.yaml"]["steps"].insert(0, {"wait": {"until": {"time": "09:00"}}})
        world = World(plain)
        ann = somebody(world, "2026-03-03 00:30", **known)
        ann.does("Started")
        world.advance(days=1)
        assert sent_at(ann) == [f"03 {left}"]


# -- what may be written


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ({}, "should say hours, days or holidays"),
        ({"hours": "21-8"}, "until eight the next morning"),
        ({"hours": "09:00-09:00"}, "a whole day is"),
        ({"hours": "25:00-08:00"}, "until eight the next morning"),
        ({"hours": "21:00-08:00", "in": "XX"}, "is no country"),
        ({"hours": "21:00-08:00", "days": ["FUN"]}, "MON"),
        ({"holidays": "DE-XX"}, "no public holidays are known of 'DE-XX'"),
        ({"holidays": []}, "names of calendars"),
        ({"hours": "21:00-08:00", "match": {"channel": "fax"}}, "no channel called 'fax'"),
        ({"hours": "21:00-08:00", "zone": "Europe/Berlin"}, "zone"),
    ],
)
def test_what_cannot_be_read_is_refused_in_its_place(rule: dict[str, Any], fault: str):
    (problem,) = problems_of(shop({"id": "night"} | rule))
    assert problem.file == "policies.yaml"
    assert problem.loc[:3] == ("quiet_hours", "rules", 0)
    assert fault in str(problem)


def test_two_rules_have_two_ids():
    (problem,) = problems_of(shop(NIGHT, {"id": "night", "days": ["SUN"]}))
    assert str(problem) == "policies.yaml: quiet_hours.rules[2].id: 'night' is there already"


@pytest.mark.parametrize(
    ("policies", "warning"),
    [
        ({"quiet_hours": {"rules": [NIGHT], "if_unknown": ["US", "DE", "JP"]}}, "no time that is free everywhere"),
        ({"quiet_hours": {"rules": [{"id": "all", "hours": "00:00-24:00"}]}}, "leaves no time"),
        ({"quiet_hours": {"rules": [NIGHT]}, "workspace": {"zone": "UTC"}}, "write if_unknown, or workspace.country"),
        ({"quiet_hours": {"rules": [NIGHT]}, "workspace": {"zone": "UTC", "country": "US"}}, ""),
        ({"quiet_hours": {"rules": [NIGHT]}, "workspace": {"zone": "Europe/Berlin"}}, ""),
    ],
)
def test_quiet_hours_that_leave_no_time_are_doubted(policies: dict[str, Any], warning: str):
    found = [str(each) for each in examined(shop() | {"policies.yaml": policies}).warnings() if "quiet" in str(each)]
    assert (warning in found[0]) if warning else found == []


def test_a_profile_says_where_its_customer_is_and_how_that_is_known():
    world = World(shop())
    ann = somebody(world, "2026-03-03 12:00", phone="+12125550123")
    assert ann.shown["zone"] == {"zones": ["America/New_York"], "from": "phone"}
