"""The timer index and the outbox say what a plain sorted list would say, and hold no more in memory than they may."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from actors.shard.outbox import channel_queues, due_index
from actors.shard.outbox.due_index import DueIndex
from actors.shard.outbox.outbox import HANDED_OVER, Outbox, Waiting
from actors.storage import keys
from actors.storage.batch import Batch
from actors.storage.memory_store import MemoryStore
from actors.storage.vault import PlainVault

PROFILES = [f"{number:04x}" + "ab" * 12 + "00" for number in range(4)]
RUN = "cd" * 12


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(due_index, "CHUNK", 4)
    monkeypatch.setattr(due_index, "_HELD_MAX", 8)


class Timers(RuleBasedStateMachine):
    """Timers are set, dropped and fired, and the batch is committed or not; beside it a plain set of keys."""

    def __init__(self) -> None:
        super().__init__()
        self.batch = Batch(MemoryStore(), PlainVault())
        self.index = DueIndex(lambda start: self.batch.keys_from("timers", start), 0)
        self.wanted: set[bytes] = set()
        self.generation = 0

    @rule(due_ms=st.integers(0, 30), profile=st.sampled_from(PROFILES))
    def set_one(self, due_ms: int, profile: str) -> None:
        self.generation += 1
        key = keys.timer_key(due_ms, profile, RUN, self.generation)
        self.batch.put("timers", key, b"")
        self.index.add(key)
        self.wanted.add(key)

    @precondition(lambda self: self.wanted)
    @rule(data=st.data())
    def drop_one(self, data: Any) -> None:
        key = data.draw(st.sampled_from(sorted(self.wanted)))
        self.batch.put("timers", key, None)
        self.index.discard(key)
        self.wanted.discard(key)

    @rule(now_ms=st.integers(0, 30))
    def fire_one(self, now_ms: int) -> None:
        due = self.index.pop_due(now_ms)
        first = min(self.wanted, default=None)
        if first is None or keys.timer_parts(first)[0] > now_ms:
            assert due is None
            return
        assert due == keys.timer_parts(first)[:2]
        mine = sorted(key for key in self.wanted if keys.timer_parts(key)[:2] == due)
        assert self.index.forget(*due) == mine
        for key in mine:
            self.batch.put("timers", key, None)
            self.wanted.discard(key)

    @rule()
    def commit(self) -> None:
        self.batch.commit()

    @rule()
    def restart(self) -> None:
        self.batch.commit()
        self.index = DueIndex(lambda start: self.batch.keys_from("timers", start), len(self.wanted))

    @invariant()
    def agrees(self) -> None:
        assert len(self.index) == len(self.wanted)
        assert self.index.next_ms() == min((keys.timer_parts(key)[0] for key in self.wanted), default=None)


TestTimers = Timers.TestCase
TestTimers.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)


def test_far_timers_are_not_in_memory():
    stored = [keys.timer_key(due_ms, PROFILES[0], RUN, 1) for due_ms in range(1_000)]

    def read(start: bytes) -> Iterator[bytes]:
        return (key for key in stored if key >= start)

    index = DueIndex(read, len(stored))
    assert index.next_ms() == 0 and len(index) == 1_000
    assert len(index._heap) == 4
    for due_ms in (0, 0, 0, 0, 1, 1, 1, 2, 2, 500):
        index.add(keys.timer_key(due_ms, PROFILES[1], RUN, len(index)))
    assert len(index._heap) <= 8


def test_a_count_that_is_wrong_hides_no_timer():
    stored = [keys.timer_key(due_ms, PROFILES[0], RUN, 1) for due_ms in range(10)]
    index = DueIndex(lambda start: (key for key in stored if key >= start), 0)
    for due_ms in range(10):
        assert index.pop_due(20) == (due_ms, PROFILES[0])
        index.forget(due_ms, PROFILES[0])
    assert index.next_ms() is None


def test_a_count_that_is_wrong_is_mended_once_all_keys_are_in_memory():
    stored = [keys.timer_key(due_ms, PROFILES[0], RUN, 1) for due_ms in range(3)]
    index = DueIndex(lambda start: (key for key in stored if key >= start), 1)
    assert index.next_ms() == 0
    assert len(index) == 3


def test_a_count_that_is_wrong_is_never_less_than_none():
    index = DueIndex(lambda start: iter(()), 0)
    index.discard(keys.timer_key(1, PROFILES[0], RUN, 1))
    assert len(index) == 0


def channel_of(profile: str, send: str) -> str:
    """So that each profile has sends on each channel."""
    return {"aa": "email", "bb": "sms", "cc": ""}[send[:2]]


class Outboxes(RuleBasedStateMachine):
    """Entries wait, are handed over, come back and settle, and the batch is committed or not; beside it a plain
    dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.batch = Batch(MemoryStore(), PlainVault())
        self.wanted: dict[tuple[str, str], Waiting] = {}
        self.open()

    @rule()
    def open(self) -> None:
        """As after a restart."""
        self.batch.commit()
        handed = [Waiting.read(*row) for row in self.batch.committed("outbox", HANDED_OVER)]
        waiting = sum(not entry.dispatcher for entry in self.wanted.values())
        self.outbox = Outbox(lambda start: self.batch.keys_from("outbox", start), waiting, handed, channel_of)

    @rule()
    def commit(self) -> None:
        self.batch.commit()

    @rule(
        profile=st.sampled_from(PROFILES),
        send=st.sampled_from(["aa" * 12, "bb" * 12, "cc" * 12]),
        at_ms=st.integers(1, 9),
        dispatcher=st.sampled_from(["", "", "one", "two"]),
    )
    def put(self, profile: str, send: str, at_ms: int, dispatcher: str) -> None:
        self.drop(profile, send)
        entry = Waiting(profile, send, 0 if dispatcher else at_ms, dispatcher)
        self.batch.put("outbox", entry.key, entry.record)
        self.outbox.put(entry)
        self.wanted[profile, send] = entry

    @rule(profile=st.sampled_from(PROFILES), send=st.sampled_from(["aa" * 12, "bb" * 12, "cc" * 12]))
    def drop(self, profile: str, send: str) -> None:
        known = self.wanted.pop((profile, send), None)
        if known is not None:
            self.batch.put("outbox", known.key, None)
            self.outbox.drop(profile, send, known.at_ms)

    @invariant()
    def agrees(self) -> None:
        def order(entry: Waiting) -> tuple[int, str, str]:
            return entry.at_ms, entry.profile, entry.send

        entries = self.wanted.values()
        waiting = sorted((entry for entry in entries if not entry.dispatcher), key=order)
        assert (len(self.outbox), self.outbox.waiting) == (len(self.wanted), len(waiting))
        for now_ms, most in ((4, None), (9, 2), (9, None)):
            assert self.outbox.ready(now_ms, most) == [e for e in waiting if e.at_ms <= now_ms][:most]
        assert self.outbox.next_ms() == (waiting[0].at_ms if waiting else None)
        others = [entry for entry in entries if entry.dispatcher not in ("", "one")]
        assert self.outbox.orphans("one") == sorted(others, key=lambda entry: (entry.profile, entry.send))


TestOutboxes = Outboxes.TestCase
TestOutboxes.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


class OutboxesByChannel(Outboxes):
    """The same, asked as lanes ask: for one channel at a time."""

    @invariant()
    def agrees(self) -> None:
        waiting = sorted((entry.at_ms, entry.profile, entry.send) for entry in self.wanted.values() if entry.at_ms)
        for channel in ("sms", "email", ""):
            mine = [row for row in waiting if channel_of(*row[1:]) == channel]
            due = [Waiting(profile, send, at_ms) for at_ms, profile, send in mine if at_ms <= 4]
            few = self.outbox.ready(4, 1, channel=channel)
            assert len(few) == min(1, len(due)) and set(few) <= set(due)
            assert self.outbox.ready(4, 64, channel=channel) == due
            next_ms = self.outbox.next_ms(channel)
            assert next_ms == due[0].at_ms if due else next_ms is None or next_ms > 4
        assert self.outbox.waiting == len(waiting)

    @rule()
    def new_channels(self) -> None:
        self.outbox.sort_anew()


TestOutboxesByChannel = OutboxesByChannel.TestCase
TestOutboxesByChannel.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_much_for_one_channel_keeps_nobody_else_waiting_and_is_sorted_a_part_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(channel_queues, "_SORTED_AT_ONCE", 10)
    batch = Batch(MemoryStore(), PlainVault())
    outbox = Outbox(lambda start: batch.keys_from("outbox", start), 0, (), channel_of)
    for number in range(1, 101):
        send = ("bb" if number == 100 else "aa") * 4 + f"{number:016x}"
        entry = Waiting(PROFILES[0], send, number)
        batch.put("outbox", entry.key, entry.record)
        outbox.put(entry)
    assert len(outbox.ready(200, 3, channel="email")) == 3
    asked = 0
    while not (found := outbox.ready(200, 3, channel="sms")):
        next_ms = outbox.next_ms("sms")
        assert next_ms is not None and next_ms <= 200, "there is more to be sorted, so nobody sleeps"
        asked += 1
    assert [entry.at_ms for entry in found] == [100] and asked == 9


def test_all_of_a_pull_that_was_lost_is_given_again_though_less_is_asked_for():
    outbox = Outbox(lambda start: iter(()), 0, [Waiting(PROFILES[n], "aa" * 12, 0, "1.a.p-0") for n in range(3)])
    assert len(outbox.ready(1, 1, "1.a.p-0", "email")) == 3
