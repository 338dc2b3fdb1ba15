"""`kill -9` under load, of each part and of everything (Invariants 1, 3, 4, 5, 7).

Nothing acknowledged is lost, nothing counts or leaves twice, and every intended send has its one fate.

The first run is `make chaos` in short. The second holds one mail in the hand-over while everything is killed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.running import Engine, MailServer, eventually, eventually_equal, write_catalog

from loadtest.chaos.chaos import KillPlan, Report, Run
from loadtest.chaos.killer import CONTROLLER, DISPATCHER, EVERYTHING, GCS, HAPROXY, INGRESS, SHARD

STUCK = "stuck@shop.example"
BAG = (SHARD, DISPATCHER, INGRESS, HAPROXY, CONTROLLER, GCS, EVERYTHING)
SHORT = KillPlan(
    seconds=90, seed=7, customers=60, bag=BAG, rounds_max=len(BAG), load_s=(0.3, 1.0), puts_mail_off=False
)  # its rounds end it, in half that time


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """What came of a short run."""
    return Run(SHORT, tmp_path_factory.mktemp("chaos")).run()


@pytest.fixture
def stuck(tmp_path: Path, shop_files: dict[str, str]) -> Iterator[tuple[Engine, MailServer]]:
    """An engine that was killed while one mail hung in the hand-over, and that runs again."""
    with MailServer().open() as mailbox:
        mailbox.stalling.add(STUCK)
        engine = Engine(tmp_path, config=write_catalog(tmp_path / "configs", shop_files), smtp_port=mailbox.port)
        try:
            engine.start()
            engine.identify("stuck", email=STUCK)
            engine.track("Price Dropped", {"cart_id": "stuck-1"}, userId="stuck")
            eventually(lambda: mailbox.stalled)
            engine.kill()
            yield engine.start(), mailbox
        finally:
            engine.close()


def test_each_part_was_killed_under_load_and_came_back(report: Report):
    assert set(report.kills) == set(BAG), report.lines()
    assert set(report.recoveries_s) == set(report.kills)
    assert report.rounds == len(BAG)
    assert report.acknowledged > 500 and report.sends["sent"] > 50 and report.timers > 10, report.lines()
    assert report.traffic.refusals, "no client noticed anything, so nothing was killed under load"


def test_invariant_1_what_was_acknowledged_is_there_after_kill_9_and_the_books_balance(report: Report):
    assert report.imbalances == []


def test_what_hung_in_the_hand_over_is_unknown_keeps_its_place_and_is_not_sent_again(stuck: tuple[Engine, MailServer]):
    engine, mailbox = stuck
    (mail,) = mailbox.to(STUCK)
    eventually_equal(lambda: engine.sends("stuck"), [("unknown", "dispatcher lost")])
    sends = [entry["detail"]["send"] for entry in engine.timeline("user_id", "stuck") if entry["kind"] == "send"]
    assert mail["Message-ID"].partition("@")[0] == f"<{sends[-1]}"
    cap = next(row for row in engine.profile("user_id", "stuck")["caps"] if row["cap"] == "alerts")
    assert (cap["used"], cap["reserved"], cap["left"]) == (1, 0, 1)
    mailbox.stalling.clear()
    for number in (2, 3):
        engine.track("Price Dropped", {"cart_id": f"stuck-{number}"}, userId="stuck")
    eventually_equal(
        lambda: sorted(engine.sends("stuck")), [("held", "cap.alerts"), ("sent", ""), ("unknown", "dispatcher lost")]
    )
    assert len(mailbox.to(STUCK)) == 2
