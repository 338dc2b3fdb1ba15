"""One mailbox, several profiles, and a real mail server: one message within the cap, and one no for all of them
(`docs/addresses.md`)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from support.running import Engine, MailServer, eventually_equal, write_catalog

FAMILY = ("ada", "bea", "cem")
NO = "consent.marketing.email"
START = datetime(2026, 3, 2, tzinfo=UTC)

Tell = Callable[[list[dict[str, Any]]], None]


def test_a_family_gets_one_message_and_says_no_once_on_the_wall_clock(shop: Engine, mailbox: MailServer):
    def tell(events: list[dict[str, Any]]) -> None:
        shop.batch(events)
        eventually_equal(shop.is_quiet, True)

    story(shop, mailbox, "wall@home.example", tell)


def test_and_on_the_replay_clock(shop_files: dict[str, str], mailbox: MailServer, tmp_path: Path):
    engine = Engine(
        tmp_path, config=write_catalog(tmp_path / "configs", shop_files), clock="replay", smtp_port=mailbox.port
    )
    now = START

    def tell(events: list[dict[str, Any]]) -> None:
        nonlocal now
        engine.bring([event | {"timestamp": now.isoformat()} for event in events])
        now += timedelta(minutes=5)
        engine.move_clock(now.isoformat())

    try:
        engine.start()
        story(engine, mailbox, "replay@home.example", tell)
    finally:
        engine.close()


def story(engine: Engine, mailbox: MailServer, home: str, tell: Tell) -> None:
    """Three people of one household, whose mailbox is one, and a fourth who comes later."""
    names = [f"{name}.{home}" for name in FAMILY]
    tell([identified(name, home) for name in names])
    tell([wanted("News Wanted", name) for name in names])
    assert sorted(outcome for name in names for outcome in engine.sends(name)) == [
        ("sent", ""), ("withdrawn", "cap.news"), ("withdrawn", "cap.news"),
    ]  # fmt: skip
    (mail,) = mailbox.to(home)

    link = str(mail["List-Unsubscribe"]).strip("<>")
    assert httpx.post(link, data={"List-Unsubscribe": "One-Click"}, trust_env=False).status_code == 200
    late = f"dan.{home}"
    tell([identified(late, home), *(wanted("Letter Wanted", name) for name in (*names, late))])
    assert [engine.sends(name)[-1][1] for name in (*names, late)] == [NO] * 4
    assert len(mailbox.to(home)) == 1


def identified(user: str, email: str) -> dict[str, Any]:
    return {"type": "identify", "userId": user, "traits": {"email": email}}


def wanted(event: str, user: str) -> dict[str, Any]:
    return {"type": "track", "event": event, "userId": user, "properties": {"number": f"{event} {user}"}}
