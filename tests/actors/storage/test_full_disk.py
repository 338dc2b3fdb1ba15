"""A full disk: nothing half-done, nothing acknowledged that is not there, and it heals when there is room."""

from __future__ import annotations

import random
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.running import eventually
from support.serving import ServedShard
from support.world import CART, compiled

from actors.maintenance.verify import verify
from actors.storage.memory_store import MemoryStore
from actors.storage.store import RocksStore, Writes
from actors.storage.vault import PlainVault
from engine import audit
from engine.errors import NotReady
from engine.inputs import Event
from engine.profile import Profile


class Failing(MemoryStore):
    """Takes no more while `fails` says so: a write changes nothing then, a sync comes too late for what was written."""

    fails = ""

    def write(self, writes: Writes) -> None:
        if self.fails == "write":
            raise NotReady("the disk takes no more")
        super().write(writes)

    def sync(self) -> None:
        if self.fails == "sync":
            raise NotReady("the disk takes no more")


@pytest.mark.parametrize("fails", ["write", "sync"])
def test_a_failed_commit_answers_nobody_is_forgotten_and_the_same_ids_succeed_later(fails: str):
    store = Failing()
    one = ServedShard(compiled(CART), lambda: store)
    try:
        ada = one.customer("ada")
        first, second = (ada.event("Product Added", cart_id=cart) for cart in "ab")
        profile = one.tell(first)
        store.fails = fails
        with pytest.raises(NotReady):
            one.ingest(second)
        with pytest.raises(NotReady, match="the disk takes no more"):
            one.read("profile", profile)
        store.fails = ""
        there = eventually(lambda: _status(one))
        assert there["epoch"] >= 2 and there["timers"] == (1 if fails == "write" else 2)
        again = one.ingest(first, second)
        assert again == ["repeated", "accepted" if fails == "write" else "repeated"]
        record = one.shards[-1].record(profile)
        assert isinstance(record, Profile)
        assert [event.properties["cart_id"] for event in record.history] == ["a", "b"]
        assert sorted(run.key for run in record.runs) == ["a", "b"]
        assert _status(one)["timers"] == 2 and _status(one)["events"]["accepted"] == 2
        assert audit.first_break([value for _, value in one.shards[-1].records("audit", profile)]) is None
    finally:
        one.close()


def _status(one: ServedShard) -> dict[str, Any]:
    """The numbers of a shard; nothing while it is away."""
    try:
        return dict(one.read("status"))
    except NotReady:
        return {}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", disk], capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_a_disk_that_is_really_full_loses_nothing_acknowledged_and_serves_again_when_there_is_room(small_disk: Path):
    folder = small_disk / "shard-000"
    one = ServedShard(compiled(CART), lambda: RocksStore(folder))
    try:
        people = [one.customer(f"c{number}") for number in range(20)]
        acknowledged: list[Event] = []
        sent: list[Event] = []
        for number in range(10_000):
            events = [
                who.event("Product Added", message_id=f"{who.user}-{number}", cart_id=f"{number}", text=_noise(number))
                for who in people
            ]
            sent += events
            try:
                assert set(one.ingest(*events)) == {"accepted"}
            except NotReady:
                break
            acknowledged += events
        assert 5 < len(acknowledged) < len(sent), "the disk was never full"
        for _ in range(3):
            with pytest.raises(NotReady):
                one.ingest(people[0].event("Page Viewed", text=_noise(0)))
        subprocess.run(["mount", "-o", "remount,size=128m", small_disk], check=True)
        eventually(lambda: _status(one), 30)
        assert set(one.ingest(*acknowledged[:200])) == {"repeated"}
        assert set(one.ingest(*acknowledged[-200:])) == {"repeated"}
        assert set(one.ingest(*sent[len(acknowledged) :])) <= {"accepted", "repeated"}
        for who in people:
            record = one.shards[-1].record(one.home(who.event("?")))
            assert isinstance(record, Profile)
            runs = Counter(run.key for run in record.runs)
            assert set(runs.values()) == {1} and len(runs) == len(sent) // len(people)
        assert _status(one)["timers"] == len(sent) and _status(one)["events"]["accepted"] == len(sent)
    finally:
        one.close()
    faults, seen = verify([folder], PlainVault())
    assert faults == [] and seen["timers"] == len(sent)


def _noise(number: int) -> str:
    """Some text that does not get smaller."""
    return random.Random(number).randbytes(4000).hex()
