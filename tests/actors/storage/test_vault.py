"""A key per profile: what is locked reads back, an erased key reads nothing, a key is never used for two people."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from actors.storage.batch import Batch
from actors.storage.key_file import BLOCK_SLOTS, HEAD_BYTES, SLOT_BYTES
from actors.storage.memory_store import MemoryStore
from actors.storage.vault import FileVault, place_in
from engine import codec
from engine.errors import Corrupt, NotFound, UsageError

ENGINE_KEY = bytes(range(32))
ADA, BOB = "0001" + "aa" * 12 + "00", "0002" + "bb" * 12 + "00"
RECORD = codec.seal(b"ada@example.com")


@pytest.fixture
def vault(tmp_path: Path) -> FileVault:
    return FileVault(tmp_path, ENGINE_KEY, 3)


def test_what_is_locked_reads_back_also_after_a_restart_and_from_another_shard(vault: FileVault, tmp_path: Path):
    locked = vault.lock(vault.new_key(), RECORD)
    assert b"ada" not in locked
    assert locked != vault.lock(place_in(locked), RECORD), "a nonce comes once"
    for other in (
        vault,
        FileVault(tmp_path, ENGINE_KEY, 3),
        FileVault(tmp_path, ENGINE_KEY, 4),
        FileVault(tmp_path, ENGINE_KEY),
    ):
        assert other.unlock(locked) == RECORD


def test_a_plain_record_comes_back_as_it_is(vault: FileVault):
    assert vault.unlock(RECORD) == RECORD


def test_an_erased_key_opens_nothing_in_no_process(vault: FileVault, tmp_path: Path):
    places = [vault.new_key() for _ in range(3)]
    locked = [vault.lock(place, RECORD) for place in places]
    before = (tmp_path / "keys-00003").read_bytes()
    vault.erase(places[1])
    for other in (vault, FileVault(tmp_path, ENGINE_KEY, 3)):
        assert [other.unlock(locked[0]), other.unlock(locked[2])] == [RECORD, RECORD]
        with pytest.raises(NotFound, match="erased"):
            other.unlock(locked[1])
    assert before[HEAD_BYTES + SLOT_BYTES : HEAD_BYTES + 2 * SLOT_BYTES] not in (tmp_path / "keys-00003").read_bytes()


def test_no_place_is_given_twice_whatever_happens_in_between(tmp_path: Path):
    given = []
    for number in (3, 3, 5, 3):
        vault = FileVault(tmp_path, ENGINE_KEY, number)
        given += [vault.new_key() for _ in range(BLOCK_SLOTS + 2 if number == 5 else 2)]
        with (tmp_path / f"keys-{number:05d}").open("ab") as file:
            file.write(b"torn")  # a crash in the middle of a block
    assert len(set(given)) == len(given)
    vault.lock(given[-1], RECORD)


def test_another_engines_key_is_named(vault: FileVault, tmp_path: Path):
    vault.new_key()
    with pytest.raises(UsageError, match="does not open"):
        FileVault(tmp_path, os.urandom(32), 3)


def test_a_broken_slot_and_a_broken_record_are_named(vault: FileVault, tmp_path: Path):
    place = vault.new_key()
    locked = vault.lock(place, RECORD)
    with pytest.raises(Corrupt, match="cannot be decrypted"):
        vault.unlock(locked[:-1] + bytes([locked[-1] ^ 1]))
    path = tmp_path / "keys-00003"
    whole = path.read_bytes()
    path.write_bytes(whole[: HEAD_BYTES + 30] + bytes([whole[HEAD_BYTES + 30] ^ 1]) + whole[HEAD_BYTES + 31 :])
    with pytest.raises(Corrupt, match="slot 0 cannot be read"):
        FileVault(tmp_path, ENGINE_KEY, 3).unlock(locked)


def test_a_profile_gets_its_key_with_its_first_record_in_the_same_write(vault: FileVault, tmp_path: Path):
    store = MemoryStore()
    batch = Batch(store, vault)
    for owner in (ADA, BOB):
        batch.put("state", bytes.fromhex(owner), codec.seal(owner.encode()), owner)
    batch.put("outbox", bytes.fromhex(ADA), codec.seal(b"plain"))
    batch.commit()
    batch.put("audit", bytes.fromhex(ADA) + b"1", RECORD, ADA)
    batch.commit()
    places = {owner: place_in(store.get("state", bytes.fromhex(owner)) or b"") for owner in (ADA, BOB)}
    assert len(set(places.values())) == 2
    assert place_in(store.get("audit", bytes.fromhex(ADA) + b"1") or b"") == places[ADA]
    assert store.get("outbox", bytes.fromhex(ADA)) == codec.seal(b"plain")
    again = Batch(store, FileVault(tmp_path, ENGINE_KEY, 3))
    again.put("audit", bytes.fromhex(ADA) + b"2", RECORD, ADA)
    again.commit()
    assert again.key_of(ADA) == places[ADA]
    assert again.rows("audit", bytes.fromhex(ADA)) == [(bytes.fromhex(ADA) + n, RECORD) for n in (b"1", b"2")]
