"""One key or one row that is broken takes nobody else down; a file that goes away while an engine runs is noticed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.world import CART, compiled

from actors.maintenance.start_check import inspect_shard
from actors.platform.clock import WallClock
from actors.shard.set_aside import dead_letter_actions
from actors.shard.shard import Shard
from actors.storage.key_file import HEAD_BYTES, SLOT_BYTES
from actors.storage.store import RocksStore
from actors.storage.vault import FileVault, parts
from engine.errors import Corrupt, NotReady
from engine.identity.home import home_of
from engine.inputs import Event, Rejected, TimersDue
from engine.journeys import interpreter
from engine.profile import Profile

KEY = bytes(range(32))
CATALOG = compiled(CART)


def event(user: str, message: str, name: str = "Product Added") -> Event:
    now_ms = WallClock().now_ms()
    fields = {"kind": "track", "at_ms": now_ms, "received_at_ms": now_ms, "source": "test", "channel": "web"}
    return Event(name=name, message_id=message, user_id=user, **fields)  # type: ignore[arg-type]


def home(user: str) -> str:
    found = home_of(CATALOG, event(user, "?"))
    assert found is not None
    return found


def opened(data: Path, *, create: bool = True) -> Shard:
    vault = FileVault(data / "vault", KEY, 0, create=create)
    return Shard(0, RocksStore(data / "shard-000", create=create), CATALOG, WallClock(), vault=vault)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A shard with three customers whose carts wait for a reminder."""
    shard = opened(tmp_path)
    for user in ("ada", "bob", "eve"):
        shard.tell(home(user), event(user, f"{user}-1"))
    shard.close()
    return tmp_path


HARM = pytest.mark.parametrize("blank", [False, True], ids=["a flipped byte", "a blank slot"])


def break_key_of(user: str, data: Path, blank: bool = False) -> int:
    """Flip a byte in somebody's slot, or leave nothing in it."""
    store = RocksStore(data / "shard-000")
    place = store.get("keyring", bytes.fromhex(home(user)))
    store.close()
    assert place is not None
    _, slot = parts(place)
    path = data / "vault" / "keys-00000"
    whole = bytearray(path.read_bytes())
    at = HEAD_BYTES + slot * SLOT_BYTES
    if blank:
        whole[at : at + SLOT_BYTES] = bytes(SLOT_BYTES)
    whole[at + 20] ^= 0x10 * (not blank)
    path.write_bytes(bytes(whole))
    return slot


@HARM
def test_a_key_that_cannot_be_read_is_named_at_the_start_with_its_file_and_its_person(data: Path, blank: bool):
    slot = break_key_of("ada", data, blank)
    (line,) = inspect_shard(data / "shard-000", FileVault(data / "vault", KEY), [0])
    assert line.startswith(f"{data}/vault/keys-00000: slot {slot} cannot be read")
    assert home("ada") in line


@HARM
def test_whoever_cannot_be_read_is_set_aside_and_all_others_live(data: Path, blank: bool):
    break_key_of("ada", data, blank)
    shard = opened(data, create=False)
    with pytest.raises(Corrupt, match="keys-00000"):
        shard.tell(home("ada"), event("ada", "ada-2"))
    assert not shard.tell_or_forward(home("ada"), TimersDue(at_ms=0))
    assert shard.tell(home("bob"), event("bob", "bob-2")).status == "accepted"
    timers = len(shard.timers)
    while shard.fire_timers(WallClock().now_ms() + 7_200_000):
        pass
    shard.commit()
    assert list(shard.unreadable.reasons) == [home("ada")]
    assert timers == 3 and isinstance(shard.record(home("eve")), Profile)
    assert [key[8:23].hex() for key, _ in shard.batch.raw("timers", b"")] == [home("ada")], "it waits for a repair"
    shard.close()


def test_what_is_rejected_of_somebody_who_cannot_be_read_is_kept_all_the_same(data: Path):
    break_key_of("ada", data)
    shard = opened(data, create=False)
    dead_letter_actions.set_aside(shard, home("ada"), Rejected(text="{}"), "a reason")
    shard.commit()
    assert [letter.reason for letter in shard.dead.all()] == ["a reason"]
    shard.close()


def test_no_new_customer_is_acknowledged_once_the_key_file_has_gone(data: Path):
    shard = opened(data, create=False)
    shutil.move(data / "vault", data / "away")
    with pytest.raises(NotReady, match="keys-00000"):
        shard.batch.check_there()
    shard.tell(home("new"), event("new", "new-1"))
    with pytest.raises(NotReady, match="keys-00000"):
        shard.commit()
    assert RocksStore.get(shard.batch._store, "keyring", bytes.fromhex(home("new"))) is None  # type: ignore[arg-type]
    shutil.copytree(data / "away", data / "vault")  # the same to the byte: goes on
    shard.commit()
    shard.close()
    again = opened(data, create=False)
    assert isinstance(again.record(home("new")), Profile)
    again.close()


def test_another_key_file_in_the_place_of_the_one_in_use_is_not_taken(data: Path):
    shard = opened(data, create=False)
    path = data / "vault" / "keys-00000"
    older = path.read_bytes()[:-SLOT_BYTES]
    path.unlink()
    path.write_bytes(older)
    with pytest.raises(NotReady, match="another file"):
        shard.batch.check_there()
    shard.close()


def test_a_store_that_has_gone_is_noticed_while_it_runs_and_not_made_anew(data: Path):
    shard = opened(data, create=False)
    shutil.move(data / "shard-000", data / "away")
    with pytest.raises(NotReady, match="shard-000"):
        shard.batch.check_there()
    shutil.move(data / "away", data / "shard-000")
    shard.batch.check_there()
    shard.close()
    shutil.rmtree(data / "shard-000")
    with pytest.raises(Corrupt, match="shard-000: is missing"):
        opened(data, create=False)
    assert not (data / "shard-000").exists()


def test_no_nonce_is_made_twice_where_a_key_file_is_made_anew(tmp_path: Path):
    wrapped = []
    for _ in range(2):
        shutil.rmtree(tmp_path / "vault", ignore_errors=True)
        vault = FileVault(tmp_path / "vault", KEY, 0)
        vault.new_key()
        content = (tmp_path / "vault" / "keys-00000").read_bytes()
        wrapped.append({content[at : at + 12] for at in range(HEAD_BYTES, len(content), SLOT_BYTES)})
    assert len(wrapped[0]) == len(wrapped[1]) == 1024
    assert not wrapped[0] & wrapped[1]


def test_a_timer_whose_turn_failed_is_gone_once(data: Path, monkeypatch: pytest.MonkeyPatch):
    shard = opened(data, create=False)
    with monkeypatch.context() as broken:
        broken.setattr(interpreter, "resume_due", lambda turn, at_ms: 1 // 0)
        while shard.fire_timers(WallClock().now_ms() + 7_200_000):
            pass
    assert len(shard.dead.all()) == 3 and len(shard.timers) == 0
    shard.commit()
    for user in ("ada", "bob"):
        shard.tell(home(user), event(user, f"{user}-2", "Order Completed"))
    shard.commit()
    assert len(shard.timers) == 0
    record = shard.record(home("ada"))
    assert isinstance(record, Profile) and [run.ended_by for run in record.runs] == ["stop.purchase"]
    shard.close()
