"""Another number of shards changes nothing for anybody, whenever the change is interrupted (Invariants 1, 3 and 9)."""

from __future__ import annotations

import gc
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.running import eventually
from support.world import CART, DAY, START_MS, YES_TO_MAIL, Customer, World

from actors.maintenance.manifest import meta
from actors.maintenance.record_placement import MOVED, digest_of
from actors.maintenance.reshard import Reshard
from actors.maintenance.verify import verify
from actors.shard.queries.queries import dump
from actors.storage import keys, store_folders
from actors.storage.store import RocksStore, Writes
from actors.storage.vault import FileVault
from engine import codec
from engine.errors import NotReady, SegueError, UsageError
from engine.inputs import ConsentChange

pytestmark = pytest.mark.slow

ENGINE_KEY = bytes(range(32))
PEOPLE = 12


def opened(data: Path) -> World:
    """The engine of a data directory, in this process."""
    engine = json.loads((data / "engine.json").read_text())
    numbers = range(engine["shards"])
    stores = [RocksStore(store_folders.shard_path(data, number)) for number in numbers]
    vaults = [FileVault(data / "vault", ENGINE_KEY, engine["vault_base"] + number) for number in numbers]
    return World(CART, stores=stores, vaults=vaults)  # type: ignore[arg-type]


def closed(world: World) -> None:
    """Stop it."""
    for windows in world.engine.windows:
        windows.shard.close()


def person(world: World, number: int) -> Customer:
    """One of them; some are known by an e-mail address too, whose place points to them."""
    return Customer(world, f"p{number}@shop.example" if number % 2 else f"p{number}", f"a{number}")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of an engine on two shards that stopped in the middle of everything."""
    data = tmp_path_factory.mktemp("original") / "data"
    data.mkdir()
    engine = {"format": 2, "shards": 2, "clock": "replay", "vault_base": 0}
    (data / "engine.json").write_text(json.dumps(engine))
    world = opened(data)
    for number in range(PEOPLE):
        visitor = Customer(world, "", f"a{number}")
        visitor.does("Product Viewed", sku=f"s{number}")
        person(world, number).does("Product Added", cart_id=f"c{number}")
        world.settle()
        world.customer(person(world, number).user, consents=YES_TO_MAIL)
        if number == PEOPLE // 2:
            world.provider_says = "retry"
            world.advance(hours=1, minutes=2)
    Customer(world, "nobody", "").decides()
    later = [person(world, number).event("Order Completed", at_ms=START_MS + DAY) for number in range(3)]
    world.engine.stage(later)
    for windows in world.engine.windows:
        for number in range(PEOPLE):
            if world.engine.shard(person(world, number).id) is windows.shard:
                windows.shard.dead.put(person(world, number).id, _change(number), "a fault of ours", START_MS)
    person(world, 0).does("Product Viewed", sku="last")
    world.engine.stage([Customer(world, "late", "a-late").event("Identified", kind="identify")])
    for windows in world.engine.windows:
        windows.shard.commit()
    closed(world)
    return data


@pytest.fixture
def data(original: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    shutil.copytree(original, tmp_path / "data")
    return tmp_path / "data"


def _change(number: int) -> ConsentChange:
    return ConsentChange(
        purpose="marketing", channel="sms", granted=True, at_ms=START_MS, source="test", identifiers=(("user_id", "x"),)
    )


def resharded(data: Path, shards: int, **how: Any) -> Reshard:
    """A change that is done."""
    with_told = {"told": lambda what, done: None} | how
    work = Reshard(data, shards, FileVault(data / "vault", ENGINE_KEY), **with_told)
    work.run()
    return work


def state(world: World) -> dict[str, Any]:
    """Everything that equality is judged by, and what stands beside it."""
    gathered: dict[str, Any] = {"profiles": {}, "counts": Counter(), "sends": Counter(), "timers": 0, "outbox": 0}
    for windows in world.engine.windows:
        shard = windows.shard
        gathered["profiles"] |= dump(shard)
        gathered["counts"].update(shard.counts)
        gathered["sends"].update(shard.sends)
        gathered["timers"] += len(shard.timers)
        gathered["outbox"] += len(shard.outbox)
    gathered["number"] = sum(windows.shard.profiles for windows in world.engine.windows)
    return gathered


def after(data: Path) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """What there is after three more days, and the mail that they brought."""
    world = opened(data)
    assert len(state(world)["profiles"]) > 2 * PEOPLE
    world.advance(hours=3)
    repeats = Counter[str]()
    for number in range(PEOPLE):  # what clients send once more
        event = person(world, number).event("Product Added", message_id=f"again-{number}", cart_id="c")
        for _ in range(2):
            repeats[world.engine.shard(person(world, number).id).tell(person(world, number).id, event).status] += 1
    assert repeats == {"accepted": PEOPLE, "repeated": PEOPLE}
    world.advance(days=3)
    found = state(world)
    mails = sorted((message["profile"], message["send"]) for message in world.mailbox)
    closed(world)
    return found, mails


@pytest.mark.parametrize("ways", [(1,), (3, 2), (5,)], ids=str)
def test_nothing_differs_then_or_later_on_another_number_of_shards(data: Path, tmp_path: Path, ways: tuple[int, ...]):
    """Invariant 9, with timers, sends, staged inputs, dead letters and messages under way."""
    stays = tmp_path / "stays"
    shutil.copytree(data, stays)
    totals = None
    for shards in ways:
        before = _digests(data)
        totals = resharded(data, shards)._totals
        assert _digests(data) == before
        assert sorted(path.name for path in data.glob("*shard-*")) == [f"shard-{n:03d}" for n in range(shards)]
    assert totals is not None
    assert min(totals[family] for family in ("state", "timers", "outbox", "staged", "dead", "strangers", "journal")) > 0
    assert after(data) == after(stays)
    gc.collect()
    assert verify(sorted(data.glob("shard-*")), FileVault(data / "vault", ENGINE_KEY))[0] == []


def test_numbers_go_on_and_new_keys_go_to_new_files(data: Path):
    old = [_facts(path) for path in sorted(data.glob("shard-*"))]
    resharded(data, 3)
    new = [_facts(path) for path in sorted(data.glob("shard-*"))]
    for name in ("epoch", "journal_seq", "clock"):
        assert {facts[name] for facts in new} == {max(facts[name] for facts in old)}
    assert sum(facts["profiles"] for facts in new) == sum(facts["profiles"] for facts in old)
    assert sum(facts["counts"].get("accepted", 0) for facts in new) == sum(facts["counts"]["accepted"] for facts in old)
    assert json.loads((data / "engine.json").read_text()) == {
        "format": 2,
        "shards": 3,
        "clock": "replay",
        "vault_base": 2,
    }
    numbers = []
    for path in sorted(data.glob("shard-*")):
        store = RocksStore(path)
        numbers += [(int.from_bytes(key), meta(store, "dead_seq", 0)) for key, _ in store.scan("dead")]
        store.close()
    assert len({number for number, _ in numbers}) == len(numbers) == PEOPLE
    assert all(number <= last for number, last in numbers)


# -- interrupted


class Killed(BaseException):
    """The end of a process, as far as that can be had in one."""


class Faulty(RocksStore):
    """Takes so many writes and no more."""

    left = 0

    def write(self, writes: Writes) -> None:
        """Until there are none left."""
        if Faulty.left == 0:
            raise NotReady("the disk takes no more")
        Faulty.left -= 1
        super().write(writes)


def test_it_can_be_interrupted_at_any_step_and_run_again(data: Path, tmp_path: Path):
    """Invariant 1: until the switch the old stores count, and from it on the new ones. Every step of the switch, and a
    few of the copying, which are all alike."""
    wanted, steps = _digests(data), list[str]()
    whole = tmp_path / "whole"
    shutil.copytree(data, whole)
    resharded(whole, 3, told=lambda what, done: steps.append(what), chunk_records=40)
    copying = steps.index("checking")
    assert (copying > 20, steps.count("switching")) == (True, 7)
    for step in (*range(0, copying, 8), *range(copying, len(steps))):
        copy = tmp_path / f"copy-{step}"
        shutil.copytree(data, copy)
        with pytest.raises(Killed):
            resharded(copy, 3, told=_killing_at(step), chunk_records=40)
        resharded(copy, 3, chunk_records=40)
        assert _digests(copy) == wanted
        assert sorted(path.name for path in copy.glob("*shard-*")) == ["shard-000", "shard-001", "shard-002"]


def test_what_was_copied_before_the_engine_ran_once_more_does_not_count(data: Path):
    with pytest.raises(Killed):
        resharded(data, 3, told=_killing_at(20), chunk_records=40)
    world = opened(data)
    world.advance(hours=3)
    person(world, 0).does("Order Completed")
    closed(world)
    gc.collect()
    wanted = _digests(data)
    resharded(data, 3)
    assert _digests(data) == wanted


def _killing_at(step: int) -> Any:
    left = iter(range(step))

    def told(what: str, done: int) -> None:
        if next(left, None) is None:
            raise Killed

    return told


def test_a_write_can_fail_and_nothing_is_lost(data: Path, tmp_path: Path):
    """Whether it goes on then, or is asked for yet another number of shards."""
    wanted = _digests(data)
    for writes in itertools.count(step=10):
        copy = tmp_path / f"copy-{writes}"
        shutil.copytree(data, copy)
        Faulty.left = writes
        try:
            resharded(copy, 3, open=Faulty)
        except NotReady:
            assert _digests(copy) == wanted, "the old stores count"
            resharded(copy, 3 + writes // 10 % 2)
        else:
            break
        assert _digests(copy) == wanted
    assert writes > 20


COMMAND = """
import sys
from pathlib import Path
from actors.maintenance.reshard import Reshard
from actors.storage.vault import FileVault
data = Path(sys.argv[1])
told = lambda what, done: print(what, done, flush=True)
Reshard(data, 3, FileVault(data / "vault", bytes(range(32))), told, chunk_records=1).run()
"""


@pytest.mark.parametrize("when", ["copying", "checking", "switching"])
def test_kill_9_in_the_middle(data: Path, when: str):
    wanted = _digests(data)
    command = [sys.executable, "-c", COMMAND, str(data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as process:
        assert process.stdout is not None
        for line in process.stdout:
            what, done = line.split()
            if what == when and int(done) > 40:
                process.send_signal(signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL
    eventually(lambda: resharded(data, 3))
    assert _digests(data) == wanted
    assert json.loads((data / "engine.json").read_text())["shards"] == 3


# -- refused


def test_a_fact_that_is_not_known_here_is_not_lost(data: Path):
    for number, path in enumerate(sorted(data.glob("shard-*"))):
        store = RocksStore(path)
        store.write({("meta", b"new"): store.get("meta", b"epoch" if number else b"profiles")})
        store.close()
    with pytest.raises(SegueError, match="what new should be"):
        resharded(data, 3)


def test_the_newest_turn_of_all_shards_is_that_of_each(data: Path):
    for number, path in enumerate(sorted(data.glob("shard-*"))):
        store = RocksStore(path)
        store.write({("meta", b"turned_ms"): codec.seal(msgspec.msgpack.encode(START_MS + number))})
        store.close()
    resharded(data, 3)
    for path in data.glob("shard-*"):
        store = RocksStore(path)
        assert meta(store, "turned_ms", 0) == START_MS + 1
        store.close()


def test_a_disk_that_is_too_small_is_told_before_anything_is_written(data: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1, 1, 1))  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match="MB of disk"):
        resharded(data, 3)
    assert not list(data.glob("reshard-*"))


def test_keys_that_are_to_be_destroyed_are_not_forgotten(data: Path):
    store = RocksStore(data / "shard-001")
    store.write({("meta", b"erasing/" + bytes([255] * 6)): b""})
    store.close()
    resharded(data, 3)
    store = RocksStore(data / "shard-000")
    assert [key for key, _ in store.scan("meta", b"erasing/")] == [b"erasing/" + bytes([255] * 6)]
    store.close()


def test_half_a_switch_is_not_verified(data: Path):
    engine = json.loads((data / "engine.json").read_text())
    (data / "engine.json").write_text(json.dumps(engine | {"moving_from": 2}))
    with pytest.raises(UsageError, match="between"):
        store_folders.check_settled(data)


def test_every_family_has_its_place():
    # Every shard has all facts, and `meta` is its own.
    assert set(MOVED) | {"meta", "facts"} == set(keys.FAMILIES)


def _digests(data: Path) -> dict[str, tuple[int, int]]:
    gc.collect()
    stores = [RocksStore(path) for path in sorted(data.glob("shard-*"))]
    try:
        return {family: digest_of(stores, family) for family in MOVED}
    finally:
        for store in stores:
            store.close()


def _facts(path: Path) -> dict[str, Any]:
    gc.collect()
    store = RocksStore(path)
    names = ("epoch", "journal_seq", "clock", "profiles", "counts")
    found = {name: meta(store, name, {} if name == "counts" else 0) for name in names}
    store.close()
    return found
