"""The door under attack, and honest clients beside it."""

from __future__ import annotations

import re

from support.running import SERVER_KEY, WRITE_KEY, Engine, MailServer, eventually

from loadtest.sweeps import attack

SECONDS = 12.0


def test_slow_huge_lying_many_and_idle_clients_at_once_keep_nobody_from_a_decision_or_an_opt_out(
    shop: Engine, mailbox: MailServer, capsys
):
    shop.identify("besieged", email="besieged@example.com")
    shop.track("Letter Wanted", {"number": "1"}, userId="besieged")
    (mail,) = eventually(lambda: mailbox.to("besieged@example.com"))
    link = re.search(r"https?://[^/>]+(/u/[^>]+)>", str(mail["List-Unsubscribe"]))
    assert link is not None
    report = attack.play(
        shop.url,
        write_key=WRITE_KEY,
        server_key=SERVER_KEY,
        placement="home_hero",
        purpose="marketing",
        seconds=SECONDS,
        link=link[1],
    )
    with capsys.disabled():
        print("\n" + "\n".join(report.lines()))
    assert report.faults() == []
    assert {name: each.statuses.total() > 0 for name, each in report.beside.items()} == dict.fromkeys(
        ("decision", "opt-out", "readyz", "link"), True
    )
    (consent,) = [row for row in shop.profile("user_id", "besieged")["consent"] if row["channel"] == "email"]
    assert consent["granted"] is False
