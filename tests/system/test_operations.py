"""What whoever runs an engine sees of it: where it listens, what happened to it, what its sandboxes were given."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.running import SERVER_KEY, WRITE_KEY, Engine, eventually, eventually_equal, run_segue, write_catalog

from serve.process.ray_runtime.sessions import MARK

SECRET = "Difference Engine No. 2"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, shop_files: dict[str, str]) -> Iterator[Engine]:
    """An engine that listens everywhere, with a sandbox in the place of a mail server."""
    folder = tmp_path_factory.mktemp("operations")
    files = shop_files | {
        "channels.yaml": "channels:\n  - {id: web, provider: none}\n"
        "  - {id: email, provider: sandbox, address: email}\n"
    }
    files["templates/plain.html"] = "<p>Hello {{ traits.name }}</p>"
    started = Engine(folder, config=write_catalog(folder / "configs", files), environment={"SEGUE_HOST": "0.0.0.0"})
    try:
        yield started.start()
    finally:
        started.close()


def events(engine: Engine) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (engine.data / "logs" / "segue.jsonl").read_text("utf-8").splitlines()]


def test_the_door_listens_where_it_was_told_and_everything_else_on_loopback(engine: Engine):
    def elsewhere() -> set[tuple[str, int]]:
        listening: list[Any] = []
        for process in engine.processes():
            with contextlib.suppress(psutil.Error):  # it has just ended
                found = process.net_connections("inet")
                listening += [each.laddr for each in found if each.status == psutil.CONN_LISTEN]
        assert len(listening) > 10
        return {(at.ip, at.port) for at in listening if at.ip.removeprefix("::ffff:") not in ("127.0.0.1", "::1")}

    eventually_equal(elsewhere, {("0.0.0.0", engine.port)}, 30)
    eventually(lambda: f"is ready: http://127.0.0.1:{engine.port} " in engine.log.read_text())


def test_the_start_says_which_catalog_it_goes_by_and_how_to_get_the_token(engine: Engine):
    eventually(lambda: "data:  " in engine.log.read_text())
    said = engine.log.read_text()
    version = engine.server.get("/v1/status").json()["catalogVersion"]
    assert f"configs: {engine.config}, version {version}\n" in said
    command = re.search(r"its token:\s+(\S+/ray get-auth-token)", said)
    assert command
    done = subprocess.run(command[1], shell=True, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and len(done.stdout) >= 32


def test_what_a_sandbox_was_given_is_no_delivery_and_can_be_read(engine: Engine):
    engine.identify("ada", email="ada@shop.example", name=SECRET)
    engine.track("Letter Wanted", {"number": "1"}, userId="ada")
    eventually_equal(lambda: [each for each, _ in engine.sends("ada")], ["simulated"], 30)
    sends = engine.server.get("/v1/status").json()["sends"]
    assert (sends["sent"], sends["simulated"]) == (0, 1)
    (message,) = engine.server.get("/v1/sandbox").json()["messages"]
    assert (message["channel"], message["address"]) == ("email", "ada@shop.example")
    assert message["html"] == f"<p>Hello {SECRET}</p>" and message["subject"]
    for where in ("email:ada@shop.example", "user_id:ada"):
        assert engine.server.get("/v1/sandbox", params={"profile": where}).json()["messages"] == [message]
    assert engine.server.get("/v1/sandbox", params={"channel": "email"}).json()["messages"] == [message]
    unknown = engine.server.get("/v1/sandbox", params={"channel": "sms"})
    assert unknown.status_code == 400 and "email" in unknown.json()["message"]
    assert engine.web.get("/v1/sandbox").status_code == 403
    done = run_segue("sandbox", "user_id:ada", environment={"SEGUE_URL": engine.url})
    assert done.returncode == 0 and "email to ada@shop.example" in done.stdout and SECRET in done.stdout


def test_metrics_say_which_journey_and_action(engine: Engine):
    engine.identify("bob", email="bob@shop.example")
    engine.track("Letter Wanted", {"number": "1"}, userId="bob")

    def told() -> bool:
        text = engine.server.get("/metrics").text
        series = [line for line in text.splitlines() if line.startswith("ray_segue_messages_total{")]
        wanted = ('journey="letters"', 'action="letter"', 'variant="a"', 'channel="email"', 'outcome="simulated"')
        return any(all(word in line for word in wanted) for line in series)

    eventually(told, 60)


def test_what_happened_to_the_engine_stands_in_its_log_and_nothing_of_a_customer(engine: Engine, tmp_path: Path):
    engine.identify("eve", email="eve@shop.example", name=SECRET)
    eve = engine.server.get("/v1/profiles/user_id:eve").json()["profileId"]
    engine.server.post("/v1/profiles/user_id:eve/pin").raise_for_status()
    engine.server.delete("/v1/profiles/user_id:eve/pin").raise_for_status()
    folders = {"directory": str(tmp_path / "copy"), "keys": str(tmp_path / "keys")}
    engine.server.post("/v1/backup", json=folders).raise_for_status()
    engine.server.post("/v1/journeys/letters/pause").raise_for_status()
    engine.server.post("/v1/journeys/letters/resume").raise_for_status()
    assert engine.server.post("/v1/catalog", json={"files": {"policies.yaml": "caps: 1"}}).status_code == 422
    key = run_segue("keys", "create", "till", "--data", engine.data).stdout.strip()
    engine.server.delete("/v1/profiles/user_id:eve").raise_for_status()
    shard = next(each for each in engine.processes() if "ray::ProfileShard" in " ".join(each.cmdline()))
    shard.kill()
    wanted = {
        "engine_started", "key_created", "profile_pinned", "profile_unpinned", "backed_up", "catalog_taken",
        "catalog_refused", "profile_erased", "part_restarted",
    }  # fmt: skip
    eventually(lambda: wanted <= {event["event"] for event in events(engine)}, 60)
    found = events(engine)
    assert {event["profile"] for event in found if event["event"] == "profile_erased"} == {eve}
    assert Counter(event.get("by") for event in found if event["event"] == "catalog_taken")["command"] == 2
    text = (engine.data / "logs" / "segue.jsonl").read_text("utf-8")
    assert not [word for word in (SERVER_KEY, WRITE_KEY, key, SECRET, 'shop.example"', "eve@") if word in text]


def test_a_stop_and_a_start_are_in_it_too_and_only_the_last_session_is_kept(engine: Engine):
    def told() -> list[str]:
        return [event["event"] for event in events(engine) if event["event"] in ("engine_started", "engine_stopped")]

    life = ["engine_started"]
    for _ in range(2):
        eventually_equal(told, life, 60)
        assert engine.stop()[0] == 0
        engine.start()
        life += ["engine_stopped", "engine_started"]
    eventually_equal(told, life, 60)
    ray = next(Path(found) for found in _ray_folders(engine))
    mine = [mark for mark in ray.glob(f"session_*/{MARK}") if mark.read_text() == str(engine.data)]
    assert len([mark for mark in mine if not mark.parent.is_symlink()]) == 2


def _ray_folders(engine: Engine) -> Iterator[str]:
    for process in engine.processes():
        if found := re.search(r"(/\S+/ray)/session_", " ".join(process.cmdline())):
            yield found[1]
