"""What happened to an engine stands in its log, as JSON lines; and nothing ever waits for that log, or is in it that
should not."""

from __future__ import annotations

import json
import logging
import os
import re
import socket
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from actors.platform import diary, logs
from engine.errors import CatalogError, SegueError, UsageError
from serve.commands.directory import keys as key_commands
from serve.http import auth
from serve.process import settings
from serve.process.data_directory import DataDirectory
from serve.process.engine_process import EngineProcess
from serve.process.part_starts import PartStarts
from serve.process.ray_runtime import sessions
from serve.process.settings import Settings

ROOT = Path(__file__).resolve().parents[3]


def lines(data: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (data / "logs" / "segue.jsonl").read_text("utf-8").splitlines()]


def test_an_event_is_a_line_of_json_with_its_time_in_utc(tmp_path: Path):
    diary.write(tmp_path, "engine_started", version="1", shards=2)
    diary.write(tmp_path, "catalog_refused", "warning", problems=["a.yaml:1: caps: wrong"])
    first, second = lines(tmp_path)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first.pop("time"))
    assert first == {"level": "info", "event": "engine_started", "version": "1", "shards": 2}
    assert (second["level"], second["problems"]) == ("warning", ["a.yaml:1: caps: wrong"])


def test_it_is_for_its_own_user_alone_whatever_the_umask(tmp_path: Path):
    mask = os.umask(0)
    try:
        diary.write(tmp_path, "x")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "logs").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "logs" / "segue.jsonl").stat().st_mode) == 0o600


def test_it_is_bounded_in_size_and_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(diary, "BYTES_MAX", 2_000)
    for number in range(400):
        diary.write(tmp_path, "x", number=number, text="y" * 10_000, many=["z"] * 1_000)
    files = sorted((tmp_path / "logs").iterdir())
    assert [file.name for file in files] == ["segue.jsonl", *(f"segue.jsonl.{number}" for number in range(1, 6))]
    assert all(file.stat().st_size < 4_000 and stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
    assert lines(tmp_path)[-1]["number"] == 399


def test_many_writers_lose_no_line(tmp_path: Path):
    def write(writer: int) -> None:
        for number in range(50):
            diary.write(tmp_path, "x", writer=writer, number=number)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({(line["writer"], line["number"]) for line in lines(tmp_path)}) == 200


def test_a_broken_folder_or_a_full_disk_is_nobodys_business(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "logs").write_text("not a folder")
    diary.write(tmp_path, "x")
    diary.write(tmp_path / "gone", "x")
    assert not (tmp_path / "gone").exists()
    (tmp_path / "logs").unlink()
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "segue.jsonl").mkdir()
    diary.write(tmp_path, "x")
    (tmp_path / "logs" / "segue.jsonl").rmdir()
    (tmp_path / "logs" / "segue.jsonl").symlink_to("/dev/full")
    diary.write(tmp_path, "x")
    assert capsys.readouterr() == ("", "")


def test_warnings_of_a_process_are_in_it_with_their_facts(tmp_path: Path):
    log = logging.getLogger("actors.platform.clock.of_this_test")
    log.addHandler(diary.Warnings(tmp_path))
    logs.tell(log, logging.WARNING, "clock_jumped", by_ms=3_600_000)
    logs.tell(log, logging.INFO, "of no interest")
    (line,) = lines(tmp_path)
    assert (line["event"], line["level"], line["by_ms"]) == ("clock_jumped", "warning", 3_600_000)


def test_keys_are_named_and_never_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    auth.KeyRing.load_or_create(tmp_path / "keys.json", "wk_first", "sk_first")
    key_commands.create("shop", data=tmp_path)
    key_commands.user_secret("shop", data=tmp_path)
    key_commands.revoke("shop", data=tmp_path)
    shown = capsys.readouterr().out.split()
    assert [(line["event"], line["name"]) for line in lines(tmp_path)] == [
        ("key_created", "shop"),
        ("user_secret_made", "shop"),
        ("key_revoked", "shop"),
    ]
    text = (tmp_path / "logs" / "segue.jsonl").read_text()
    assert not any(secret in text for secret in shown[:2])


def test_a_part_that_was_started_again_is_noticed_once(tmp_path: Path):
    told: list[tuple[str, int]] = []
    starts = PartStarts(tmp_path, lambda event, level, **facts: told.append((facts["part"], facts["pid"])))
    (tmp_path / "shard-0.pid").write_text("1 0.5")
    starts.look()
    assert told == []
    (tmp_path / "shard-0.pid").write_text("2 0.7")
    starts.look()
    starts.look()
    assert told == [("shard-0", 2)]


def test_former_sessions_of_an_engine_go_and_nobody_elses(tmp_path: Path):
    ray, mine, other = tmp_path / "ray", tmp_path / "mine", tmp_path / "other"
    for number in range(5):
        (ray / f"session_2026-01-0{number}" / "logs").mkdir(parents=True)
    for number, data in ((0, mine), (1, mine), (2, other), (3, mine)):
        sessions.mark(str(ray / f"session_2026-01-0{number}"), data)
    (ray / "session_latest").symlink_to(ray / "session_2026-01-00")
    assert sessions.forget_former(ray, mine) == 2
    left = {path.name for path in ray.iterdir() if not path.is_symlink()}
    assert left == {"session_2026-01-02", "session_2026-01-03", "session_2026-01-04"}
    assert sessions.forget_former(ray, mine) == 0
    assert sessions.forget_former(tmp_path / "nowhere", mine) == 0


def test_every_event_is_in_the_documents_and_no_other():
    written = set[str]()
    for folder in ("actors", "serve"):
        for path in (ROOT / folder).rglob("*.py"):
            written |= set(re.findall(r'(?:diary\.write\(\s*data,|\b_?note\()\s*"(\w+)"', path.read_text("utf-8")))
    for module in ("actors/platform/clock.py", "actors/cluster/watchdog.py"):
        written |= set(re.findall(r'logs\.tell\(log, logging\.\w+, "(\w+)"', (ROOT / module).read_text("utf-8")))
        written |= set(re.findall(r'logs\.fault\(log, "(\w+)"', (ROOT / module).read_text("utf-8")))
    operations = (ROOT / "docs/operations.md").read_text("utf-8")
    section = operations.partition("## What happened")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]+) \|", section, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == written


def settings_of(data: Path, config: Path, port: int = 8000) -> Settings:
    return settings.read(config=config, data=data, port=port, shards=2, address="", clock="wall")


def test_a_start_that_fails_is_in_the_log_of_its_data(tmp_path: Path):
    data, bad = tmp_path / "data", tmp_path / "bad"
    bad.mkdir()
    (bad / "policies.yaml").write_text("caps: wrong\n")
    with pytest.raises(CatalogError):
        EngineProcess(settings_of(data, bad))
    assert not data.exists(), "nothing is made for a line in a log"
    DataDirectory(settings_of(data, bad)).release()
    with pytest.raises(CatalogError) as caught:
        EngineProcess(settings_of(data, bad))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UsageError) as port:
            EngineProcess(settings_of(data, ROOT / "configs", taken.getsockname()[1]))
    told = [{name: line[name] for name in ("level", "event", "reason")} for line in lines(data)]
    assert told == [{"level": "error", "event": "start_failed", "reason": str(fault.value)} for fault in (caught, port)]


def test_a_start_beside_an_engine_that_runs_leaves_its_log_alone(tmp_path: Path):
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "policies.yaml").write_text("caps: wrong\n")
    running = DataDirectory(settings_of(tmp_path / "data", bad))
    with pytest.raises(CatalogError):
        EngineProcess(settings_of(tmp_path / "data", bad))
    running.release()
    assert not (tmp_path / "data" / "logs").exists()


def test_a_folder_of_somebody_else_gets_no_log(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(SegueError):
        EngineProcess(settings_of(tmp_path, tmp_path / "no-catalog"))
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
