"""The clock: what the machine says wrongly for less than a minute reaches nobody, and what was believed is undone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.world import DAY, HOUR, ID_KEY, MINUTE, START_MS, action, cart_journey, compiled, document

from actors.maintenance import verify_replay
from actors.platform.clock import SLEW_MS, STANDS_MS, WallClock
from actors.shard.outbox import handing_out
from actors.shard.shard import Shard
from actors.storage import keys
from actors.storage.memory_store import MemoryStore
from engine import audit
from engine.audit import Entry
from engine.inputs import AnyInput, ConsentChange, Decide, Event, Exposure, Settle
from engine.profile import Profile, Run
from engine.seeds import profile_id

MS = 1_000_000


class Machine:
    """Its own clock, which may be wrong, and the time since it was switched on, which is not."""

    def __init__(self) -> None:
        self.since_boot_ms, self.offset_ms = 5 * HOUR, START_MS

    def clock(self, shared: Path | None = None) -> WallClock:
        return WallClock(
            shared,
            wall_ns=lambda: (self.since_boot_ms + self.offset_ms) * MS,
            since_boot_ns=lambda: self.since_boot_ms * MS,
        )

    @property
    def true_ms(self) -> int:
        """The time, while nobody has changed `offset_ms`."""
        return self.since_boot_ms + START_MS


class Watched:
    """A clock that is looked at twice a second, as a shard does."""

    def __init__(self, machine: Machine, clock: WallClock) -> None:
        self.machine, self.clock = machine, clock
        self.last_ms = clock.now_ms()

    def passes(self, ms: int) -> list[int]:
        """Time passes; by how much the clock was off the true time, each time it was looked at."""
        off = []
        for _ in range(ms // 500):
            self.machine.since_boot_ms += 500
            off.append(self.clock.now_ms() - self.machine.true_ms)
        return off


@pytest.fixture
def watched() -> Watched:
    machine = Machine()
    return Watched(machine, machine.clock())


# -- the rule, sentence by sentence


@pytest.mark.parametrize("jump_ms", [DAY, 365 * DAY, -2 * HOUR, 61_000, -61_000])
def test_a_jump_that_is_over_within_a_minute_is_not_noticed(watched: Watched, jump_ms: int):
    watched.machine.offset_ms += jump_ms
    assert set(watched.passes(STANDS_MS - 1_000)) == {0}
    watched.machine.offset_ms -= jump_ms
    assert set(watched.passes(HOUR)) == {0}
    assert (watched.clock.jumps, watched.clock.times_set_back) == (1, 0)


@pytest.mark.parametrize("jump_ms", [DAY, -2 * HOUR])
def test_a_jump_that_stands_is_followed_in_one_step_and_said(
    watched: Watched, jump_ms: int, caplog: pytest.LogCaptureFixture
):
    watched.machine.offset_ms += jump_ms
    off = watched.passes(2 * STANDS_MS)
    assert set(off) == {0, jump_ms} and off == sorted(off, reverse=jump_ms < 0)
    assert off.index(jump_ms) in range(STANDS_MS // 500, STANDS_MS // 500 + 3)
    assert watched.clock.behind_ms == 0
    assert watched.clock.times_set_back == (jump_ms < 0)
    assert [record.message for record in caplog.records] == ["clock_jumped", "clock_set"]


@pytest.mark.parametrize("step_ms", [900, 30_000, SLEW_MS, -900, -30_000, -SLEW_MS])
def test_a_difference_of_up_to_a_minute_is_made_up_without_going_back(watched: Watched, step_ms: int):
    watched.machine.offset_ms += step_ms
    before = watched.clock.now_ms()
    for _ in range(11 * abs(step_ms) // 500):
        watched.machine.since_boot_ms += 500
        now_ms = watched.clock.now_ms()
        assert 450 <= now_ms - before <= 550
        before = now_ms
    assert watched.clock.behind_ms == 0 and watched.clock.jumps == 0


def test_a_machine_that_slept_has_not_jumped(watched: Watched):
    watched.machine.since_boot_ms += 8 * HOUR
    assert watched.clock.now_ms() == watched.machine.true_ms
    assert watched.clock.jumps == 0


def test_a_clock_that_jumps_to_and_fro_must_stand_anew_each_time(watched: Watched):
    for jump_ms in (DAY, 2 * DAY, DAY, 2 * DAY):
        watched.machine.offset_ms = START_MS + jump_ms
        assert set(watched.passes(40_000)) == {0}
    assert watched.clock.jumps == 4


def test_a_process_that_starts_during_a_jump_goes_by_what_the_others_know(tmp_path: Path):
    machine = Machine()
    first = machine.clock(tmp_path / "clock")
    machine.offset_ms += DAY
    second = machine.clock(tmp_path / "clock")
    assert first.now_ms() == second.now_ms() == machine.true_ms


def test_a_broken_shared_file_is_written_anew(tmp_path: Path):
    (tmp_path / "clock").write_text("?")
    machine = Machine()
    assert machine.clock(tmp_path / "clock").now_ms() == machine.true_ms
    assert machine.clock(tmp_path / "clock").now_ms() == machine.true_ms


# -- a shard under it


CATALOG = compiled(
    document(
        actions=[
            action("cart_reminder"),
            action("offer", purpose="service", channels=["web"], placements=["home_hero"]),
        ],
        journeys=[cart_journey()],
        policies={
            "caps": [
                {"id": "offers", "limit": 1, "per": "1d", "match": {"channel": "web"}},
                {"id": "mails", "limit": 1, "per": "1d", "match": {"channel": "email"}},
            ]
        },
    )
)
ADA = profile_id(ID_KEY, "user_id", "ada")


class Home:
    """One shard on a machine whose clock may be wrong; letters are taken as soon as they wait."""

    def __init__(self) -> None:
        self.machine, self.store = Machine(), MemoryStore()
        self.mails: list[tuple[int, str]] = []
        self._messages = 0
        self.open()

    def open(self) -> None:
        self.shard = Shard(0, self.store, CATALOG, self.machine.clock())

    def restart(self) -> None:
        self.shard.close()
        self.open()

    def passes(self, ms: int, every_ms: int = 10_000) -> None:
        """Time passes, and the shard does what falls due, as its server would."""
        for _ in range(max(1, ms // every_ms)):
            self.machine.since_boot_ms += every_ms
            while self.shard.fire_timers(self.shard.clock.now_ms()):
                pass
            self._bring_messages()
            for entry in self.shard.outbox.ready(self.shard.clock.now_ms()):
                message = handing_out.authorise(self.shard, entry, "d")
                if message is not None:
                    self.mails.append((self.machine.true_ms, message["send"]))
                    self.shard.tell(ADA, Settle(send_id=message["send"], outcome="sent"))
            self.shard.setting_back.work()
            self.shard.commit()

    def _bring_messages(self) -> None:
        """What profiles and the places of their addresses tell one another: all of them live here."""
        while self.shard.messages:
            for key, (to, message) in sorted(self.shard.messages.items()):
                if self.shard.deliver(to, message, keys.profile_of(key), int.from_bytes(key[keys.PROFILE_BYTES :])):
                    self.shard.message_done(key)

    def tell(self, told: AnyInput) -> Any:
        done = self.shard.tell(ADA, told)
        self.shard.commit()
        return done.value

    def does(self, name: str, **fields: Any) -> None:
        self._messages += 1
        now_ms = self.shard.clock.now_ms()
        base = {"kind": "track", "at_ms": now_ms, "received_at_ms": now_ms, "message_id": f"m{self._messages}"}
        self.tell(Event(name=name, user_id="ada", **(base | fields)))

    def says(self, granted: bool) -> None:
        self.tell(
            ConsentChange(
                purpose="marketing",
                channel="email",
                granted=granted,
                at_ms=self.shard.clock.now_ms(),
                source="test",
                identifiers=(("user_id", "ada"), ("email", "ada@shop.example")),
            )
        )

    def decides(self) -> list[dict[str, Any]]:
        answer = self.tell(Decide(placement="home_hero", channel="web", identifiers=(("user_id", "ada"),)))
        actions: list[dict[str, Any]] = answer["actions"]
        return actions

    @property
    def ada(self) -> Profile:
        found = self.shard.record(ADA)
        assert isinstance(found, Profile)
        return found

    @property
    def run(self) -> Run:
        return self.ada.runs[-1]

    @property
    def timeline(self) -> list[Entry]:
        return [audit.open_entry(value)[1] for _, value in self.shard.records("audit", ADA)]

    def differences(self) -> list[str]:
        """What the journal says otherwise than the store."""
        self.shard.commit()
        return list(verify_replay.differences(self.shard.batch, ADA, self.ada, self.shard.catalogs))


@pytest.fixture
def home() -> Home:
    return Home()


@pytest.mark.parametrize("jump_ms", [DAY, -2 * HOUR])
def test_a_short_jump_moves_no_letter_no_timer_and_no_customer(home: Home, jump_ms: int):
    home.says(True)
    home.passes(MINUTE)
    home.machine.offset_ms += jump_ms
    home.does("Product Added", properties={"cart_id": "c"})
    began_ms = home.machine.true_ms
    home.passes(8_000, 1_000)
    home.machine.offset_ms -= jump_ms
    assert home.ada.clock_ms <= home.machine.true_ms
    home.passes(59 * MINUTE)
    assert home.mails == []
    home.passes(2 * MINUTE)
    assert [at_ms - began_ms for at_ms, _ in home.mails] == [pytest.approx(HOUR, abs=20_000)]


def lives_in_a_wrong_future(home: Home, by_ms: int = DAY) -> None:
    """The clock is wrong for an hour, and believed; then it is right again for two minutes."""
    home.machine.offset_ms += by_ms
    home.passes(2 * MINUTE)
    home.does("Page Viewed", traits={"city": "Ghent"})
    home.does("Product Added", properties={"cart_id": "c"})
    home.passes(30 * MINUTE)
    home.machine.offset_ms -= by_ms
    home.passes(2 * MINUTE)


def test_who_was_touched_in_a_wrong_future_is_set_back_without_having_to_come(home: Home):
    home.says(True)
    home.passes(MINUTE)
    lives_in_a_wrong_future(home)
    assert home.ada.clock_ms <= home.machine.true_ms
    assert [entry.outcome for entry in home.timeline if entry.kind == "clock"] == ["set_back"]
    assert 0 < home.run.due_ms - home.machine.true_ms <= HOUR
    began_ms = home.machine.true_ms
    home.passes(2 * HOUR)
    assert [at_ms - began_ms <= HOUR + MINUTE for at_ms, _ in home.mails] == [True]
    assert home.differences() == []


def test_letters_that_wait_in_a_wrong_future_leave_when_the_clock_is_right(home: Home):
    home.says(True)
    home.machine.offset_ms += DAY
    home.passes(2 * MINUTE)
    home.does("Product Added", properties={"cart_id": "c"})
    home.machine.since_boot_ms += HOUR
    while home.shard.fire_timers(home.shard.clock.now_ms()):
        pass
    home.shard.commit()
    assert len(home.shard.outbox) == 1 and home.mails == []
    home.machine.offset_ms -= DAY
    home.shard.clock.now_ms()
    home.machine.since_boot_ms += STANDS_MS
    assert home.shard.clock.now_ms() == home.machine.true_ms and len(home.shard.outbox) == 1
    home.passes(30_000)
    assert len(home.mails) == 1
    assert home.differences() == []


def test_what_is_said_after_a_wrong_future_is_later_than_what_was_said_in_it(home: Home):
    home.machine.offset_ms += DAY
    home.passes(2 * MINUTE)
    home.says(True)
    home.does("Identified", kind="identify", traits={"city": "Ghent"})
    home.machine.offset_ms -= DAY
    home.passes(2 * MINUTE)
    home.says(False)
    home.does("Identified", kind="identify", traits={"city": "Bruges"})
    assert [record.granted for record in home.ada.consent] == [False]
    assert home.ada.trait_values["city"] == "Bruges"
    home.does("Product Added", properties={"cart_id": "c"})
    home.passes(2 * HOUR)
    assert home.mails == []


def test_an_opt_out_in_a_wrong_future_still_counts_after_it_and_a_later_grant_lifts_it(home: Home):
    home.says(True)
    home.machine.offset_ms += DAY
    home.passes(2 * MINUTE)
    home.says(False)
    home.machine.offset_ms -= DAY
    home.passes(2 * MINUTE)
    home.does("Product Added", properties={"cart_id": "c"})
    home.passes(2 * HOUR)
    assert home.mails == []
    home.says(True)
    home.does("Product Added", properties={"cart_id": "d"})
    home.passes(2 * HOUR)
    assert len(home.mails) == 1


def test_a_cap_stays_exact_through_a_wrong_future_and_is_full_for_its_window_and_no_longer(home: Home):
    home.says(True)
    home.machine.offset_ms += 5 * DAY
    home.passes(2 * MINUTE)
    home.does("Product Added", properties={"cart_id": "c"})
    home.passes(61 * MINUTE)
    assert len(home.mails) == 1
    home.machine.offset_ms -= 5 * DAY
    home.passes(2 * MINUTE)
    home.does("Product Added", properties={"cart_id": "d"})
    home.passes(22 * HOUR, MINUTE)
    assert len(home.mails) == 1, "the window has not passed"
    home.passes(3 * HOUR, MINUTE)
    home.does("Product Added", properties={"cart_id": "e"})
    home.passes(2 * HOUR, MINUTE)
    assert len(home.mails) == 2, "and it is not full for five days"
    assert home.differences() == []


def test_an_offer_is_there_again_when_its_window_has_passed_by_the_right_clock(home: Home):
    home.does("Page Viewed")
    home.machine.offset_ms += 3 * DAY
    home.passes(2 * MINUTE)
    (shown,) = home.decides()
    home.tell(Exposure(token=shown["trackingToken"], event="viewed", at_ms=home.shard.clock.now_ms()))
    home.machine.offset_ms -= 3 * DAY
    home.passes(2 * MINUTE)
    home.passes(23 * HOUR, 5 * MINUTE)
    assert home.decides() == []
    home.passes(2 * HOUR, 5 * MINUTE)
    assert [offered["actionId"] for offered in home.decides()] == ["offer"]


def test_a_repeat_is_a_repeat_on_both_sides_of_a_jump(home: Home):
    home.machine.offset_ms += DAY
    home.passes(2 * MINUTE)
    home.does("Product Added", message_id="same", properties={"cart_id": "c"})
    home.machine.offset_ms -= DAY
    home.passes(2 * MINUTE)
    home.does("Product Added", message_id="same", properties={"cart_id": "c"})
    assert [event.message_id for event in home.ada.history] == ["same"]


def test_a_directory_that_is_ahead_of_the_clock_is_believed_for_a_minute_and_then_set_back(home: Home):
    home.says(True)
    home.machine.offset_ms += DAY
    home.passes(2 * MINUTE)
    home.does("Product Added", properties={"cart_id": "c"})
    home.shard.commit()
    home.machine.offset_ms -= DAY
    home.restart()
    home.does("Page Viewed")
    assert home.ada.clock_ms > home.machine.true_ms + HOUR, "the clock may not have been set yet"
    home.passes(STANDS_MS + 30_000)
    assert home.ada.clock_ms <= home.machine.true_ms
    home.passes(HOUR + 2 * MINUTE)
    assert len(home.mails) == 1
    assert home.differences() == []


def test_a_machine_that_starts_in_the_past_and_is_put_right_sets_nobody_back(home: Home):
    home.says(True)
    home.does("Product Added", properties={"cart_id": "c"})
    due_ms = home.run.due_ms
    home.machine.offset_ms -= 3 * DAY
    home.restart()
    home.does("Page Viewed")
    home.passes(20_000)
    home.machine.offset_ms += 3 * DAY  # what sets clocks has reached the network
    home.passes(3 * MINUTE)
    assert home.run.due_ms == due_ms
    assert [entry for entry in home.timeline if entry.kind == "clock"] == []
    home.passes(HOUR)
    assert len(home.mails) == 1
