"""Cart, browse and care over what real people did. The oracle reads the events and the log of sends, no rule of ours.

The streams lie beside the repository, if at all; nothing of them is in it. What they lack is made up here: an address
and a consent for each customer, a cart of their own up to each order, and its value from a hash of its product.
"""

from __future__ import annotations

import gzip
import json
import os
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from ruamel.yaml import YAML
from support.playbooks import document_of
from typer.testing import CliRunner

from engine import seeds
from serve.cli import app

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
HOUR, DAY = 3_600_000, 86_400_000
Line = dict[str, Any]
Change = Callable[[dict[str, Any]], None]
SHOPS = ["taobao", *(pytest.param(shop, marks=pytest.mark.slow) for shop in ("retailrocket", "taobao-window"))]
LONG = "taobao-window"


def stream(file: str) -> list[Line]:
    path = DATA / file
    if not path.exists():
        pytest.skip(f"{path} is not here: the streams are not part of the repository")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def clicks(shop: str) -> list[Line]:
    if shop == LONG and "SEGUE_TEST_LONG" not in os.environ:
        pytest.skip("it takes minutes: SEGUE_TEST_LONG=1 runs it")
    found = stream(f"clickstream/{shop}.events.jsonl.gz")
    orders: Counter[str] = Counter()
    for line in found:
        line["userId"] = line.pop("anonymousId", None) or line["userId"]
        told = line["properties"]
        if "product_id" in told:
            told["name"], told["cart_id"] = str(told["product_id"]), f"{line['userId']}-{orders[line['userId']]}"
            told["value"] = 10 + crc32(str(told["product_id"]).encode()) % 300
        orders[line["userId"]] += line["event"] == "Order Completed"
    return found


def facts(shop: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DATA / f"clickstream/{shop}.facts.json").read_text("utf-8"))
    return found


def with_addresses(lines: list[Line]) -> Iterator[Line]:
    """The stream, in which everybody becomes known and says yes at their first event."""
    known: set[str] = set()
    for line in lines:
        user = line.get("userId")
        if user is not None and user not in known:
            known.add(user)
            base = {"userId": user, "timestamp": line["timestamp"]}
            yield base | {"type": "identify", "messageId": f"{user}-i", "traits": {"email": f"{user}@shop.example"}}
            for channel in ("email", "push", "sms"):
                granted = {"purpose": "marketing", "channel": channel, "granted": True}
                told = {"type": "track", "event": "Consent Updated", "properties": granted}
                yield base | told | {"messageId": f"{user}-{channel}"}
        yield line


def simulated(
    tmp_path: Path, playbook: str, lines: list[Line], change: Change | None = None
) -> tuple[Line, list[Line]]:
    """The summary, and the log of what left and was held, of a playbook over a stream."""
    plain = document_of(playbook)
    del plain["policies.yaml"]["quiet_hours"]  # the oracles count hours from what happened, by day and by night
    if change is not None:
        change(plain)
    for file, content in plain.items():
        path = tmp_path / "configs" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            path.write_text(content, "utf-8")
        else:
            with path.open("w", encoding="utf-8") as out:
                YAML().dump(content, out)
    events, log = tmp_path / "events.jsonl", tmp_path / "log.jsonl"
    events.write_text("".join(json.dumps(line) + "\n" for line in with_addresses(lines)), "utf-8")
    words = ["simulate", "--events", str(events), "--config", str(tmp_path / "configs"), "--out", str(log), "--json"]
    done = CliRunner().invoke(app, [*words, "--processes", "2"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout), [json.loads(line) for line in log.read_text("utf-8").splitlines()]


def times(lines: list[Line], *names: str) -> dict[str, list[int]]:
    """When each customer did one of these things, by profile id, in order."""
    found: dict[str, list[int]] = defaultdict(list)
    for line in lines:
        if line.get("event") in names:
            found[profile(line["userId"])].append(ms(line["timestamp"]))
    return found


def profile(user: str) -> str:
    return seeds.profile_id(seeds.FIXED_KEY, "user_id", user)


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def last(known: list[int], at_ms: int) -> int:
    """The last of some instants up to one; 0 where there is none."""
    found = bisect_right(known, at_ms)
    return known[found - 1] if found else 0


def sends(log: list[Line], action: str = "") -> list[tuple[str, int, str]]:
    """(profile, when, action) of every message that left."""
    return [
        (line["profileId"], ms(line["at"]), line["action"])
        for line in log
        if line["kind"] == "send" and action in ("", line["action"])
    ]


# -- timers


@pytest.mark.parametrize("wait", ["30min", "1h", "4h"])
@pytest.mark.parametrize("shop", SHOPS)
def test_the_hour_after_a_cart_fires_resets_and_ends_as_often_as_the_facts_say(shop: str, wait: str, tmp_path: Path):
    def wait_alone(plain: dict[str, Any]) -> None:
        journey = plain["journeys/cart_rescue.yaml"]
        journey["re_entry"] = {"after": "0s"}
        journey["steps"] = [journey["steps"][0]]
        journey["steps"][0]["wait"]["for"] = wait.replace("min", "m")

    summary, _ = simulated(tmp_path, "abandoned_cart", clicks(shop), wait_alone)
    wanted = facts(shop)["abandoned_cart_timer"][wait]
    timers = summary["timers"]
    assert (timers["fired"], timers["cancelled"], timers["reset"]) == tuple(wanted.values())


@pytest.mark.parametrize("shop", SHOPS)
def test_the_hours_after_a_look_fire_reset_and_end_as_often_as_the_facts_say(shop: str, tmp_path: Path):
    def wait_alone(plain: dict[str, Any]) -> None:
        del plain["journeys/browse_memory.yaml"]
        journey = plain["journeys/browse_rescue.yaml"]
        del journey["when"]
        journey["re_entry"] = {"after": "0s"}
        journey["steps"] = [journey["steps"][0]]
        journey["steps"][0]["wait"]["for"] = "1h"

    summary, _ = simulated(tmp_path, "abandoned_browse", clicks(shop), wait_alone)
    wanted = facts(shop)["abandoned_browse_timer"]["1h"]
    timers = summary["timers"]
    assert (timers["fired"], timers["cancelled"], timers["reset"]) == tuple(wanted.values())


# -- no message after a purchase


@pytest.mark.parametrize("shop", SHOPS)
def test_every_message_about_a_cart_has_a_cart_behind_it_that_nobody_has_bought(shop: str, tmp_path: Path):
    lines = clicks(shop)
    _, log = simulated(tmp_path, "abandoned_cart", lines)
    added, bought = times(lines, "Product Added"), times(lines, "Order Completed")
    found = sends(log)
    assert found
    for who, at_ms, _ in found:
        cart_ms = last(added[who], at_ms - HOUR)
        assert cart_ms > last(bought[who], at_ms), "a message after a purchase"
        assert at_ms - cart_ms <= 3 * DAY + HOUR, "a message about a cart that is long forgotten"
    reached = {who for who, _, _ in found}
    for who, carts in added.items():
        left = any(last(carts, at_ms + HOUR) == at_ms and last(bought[who], at_ms + HOUR) < at_ms for at_ms in carts)
        assert not left or who in reached, "a cart that was left brought no message"


@pytest.mark.parametrize("shop", SHOPS)
def test_every_message_about_looks_follows_three_of_them_and_neither_cart_nor_purchase(shop: str, tmp_path: Path):
    lines = clicks(shop)
    _, log = simulated(tmp_path, "abandoned_browse", lines)
    looked, ended = times(lines, "Product Viewed"), times(lines, "Product Added", "Order Completed")
    found = sends(log)
    assert found
    for who, at_ms, action in found:
        assert action == "browse_reminder_viewed", "nobody of these has a device"
        look_ms = last(looked[who], at_ms - 4 * HOUR)
        assert look_ms == last(looked[who], at_ms), "a message to somebody who was still looking"
        assert look_ms > last(ended[who], at_ms), "a message after a cart or a purchase"
        assert sum(1 for each in looked[who] if look_ms - 2 * DAY < each <= look_ms) >= 3


def test_care_follows_each_order_that_was_not_sent_back_and_twice_a_month_at_most(tmp_path: Path):
    lines = [line for line in stream("online-retail/events.jsonl.gz")[:7_000] if "userId" in line]
    _, log = simulated(tmp_path, "post_purchase", lines)
    refunds: dict[tuple[str, str], list[int]] = defaultdict(list)
    whole: dict[str, list[int]] = defaultdict(list)  # refunds that name no order end all of a customer's care
    for line in lines:
        if line.get("event") == "Order Refunded":
            order = line["properties"].get("order_id")
            kept = refunds[line["userId"], str(order)] if order else whole[line["userId"]]
            kept.append(ms(line["timestamp"]))
    wanted: list[tuple[str, int]] = []
    last_two: dict[str, list[int]] = defaultdict(list)
    due = [line for line in lines if line.get("event") == "Order Completed"]
    for line in sorted(due, key=lambda line: ms(line["timestamp"])):
        who, at_ms = line["userId"], ms(line["timestamp"])
        sent_back = [*refunds[who, str(line["properties"]["order_id"])], *whole[who]]
        if any(at_ms <= refund_ms <= at_ms + 3 * DAY for refund_ms in sent_back):
            continue
        leaves_ms = at_ms + 3 * DAY
        if sum(1 for each in last_two[who] if each > leaves_ms - 30 * DAY) < 2:
            last_two[who].append(leaves_ms)
            wanted.append((profile(who), leaves_ms // 60_000))
    found = [(who, at_ms // 60_000) for who, at_ms, _ in sends(log, "post_purchase_care")]
    assert len(found) > 500
    off = {(who, minute + late) for who, minute in found for late in (-1, 0)}
    assert len(found) == len(wanted) and set(wanted) <= off
