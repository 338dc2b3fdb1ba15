"""A data directory that is not whole: `segue up` names the file in one line, without a traceback, and makes nothing
anew; a key that is broken is one person's and named while the engine runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.running import Engine, eventually, run_segue

from actors.platform.ports import free_port
from actors.storage.key_file import HEAD_BYTES, SLOT_BYTES
from actors.storage.store import RocksStore
from actors.storage.vault import parts

PEOPLE = [f"u{number}" for number in range(12)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """A stopped engine that knows some customers."""
    engine = Engine(tmp_path_factory.mktemp("whole")).start()
    for user in PEOPLE:
        engine.track("Product Viewed", userId=user)
    assert engine.stop()[0] == 0
    engine.close()
    return engine


def test_a_part_that_has_gone_is_named_in_one_line_and_not_made_anew(whole: Engine, tmp_path: Path):
    for name in ("shard-001", "engine.json", "vault/keys-00000", "keys.json", "shard-000/CURRENT"):
        data = Path(shutil.copytree(whole.data, tmp_path / "data"))
        path = data / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        done = run_segue("up", "--data", data, "--shards", "2", "--port", str(free_port()))
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        assert done.returncode == 2, done.stderr
        assert len(lines) == 1 and f"{path}: is missing" in lines[0], done.stderr
        assert not path.exists()
        assert "Traceback" not in done.stdout + done.stderr
        if name != "engine.json":
            checked = run_segue("verify", "--data", data)
            assert checked.returncode == 1 and str(path) in checked.stderr
        shutil.rmtree(data)


def test_one_broken_key_is_named_at_the_start_and_everybody_else_lives(whole: Engine, tmp_path: Path):
    shutil.copytree(whole.data, tmp_path / "data")
    store = RocksStore(tmp_path / "data" / "shard-000")
    key, place = next(store.scan("keyring"))
    store.close()
    number, slot = parts(place)
    path = tmp_path / "data" / "vault" / f"keys-{number:05d}"
    content = bytearray(path.read_bytes())
    content[HEAD_BYTES + slot * SLOT_BYTES + 30] ^= 1
    path.write_bytes(bytes(content))
    engine = Engine(tmp_path).start()
    try:
        eventually(
            lambda: (
                f"{path}: slot {slot} cannot be read" in engine.log.read_text() and key.hex() in engine.log.read_text()
            )
        )
        engine.batch({"type": "track", "event": "Product Viewed", "userId": user} for user in PEOPLE)
        codes = [engine.server.get(f"/v1/profiles/user_id:{user}").status_code for user in PEOPLE]
        assert sorted(codes) == [200] * (len(PEOPLE) - 1) + [500]
        letters = engine.dead_letters()
        assert len(letters) == 1 and "keys-" in letters[0]["reason"]
        shutil.rmtree(tmp_path / "data" / "vault")
        eventually(lambda: engine.server.get("/readyz").status_code == 503)
        answer = engine.web.post("/v1/track", json={"event": "Product Viewed", "userId": "somebody new"})
        assert answer.status_code == 503
    finally:
        engine.close()
