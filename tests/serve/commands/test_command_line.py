"""What the commands say and how they end, as a table: 0 fine, 1 a check failed, 2 used wrongly; one line on stderr."""

from __future__ import annotations

import http.server
import json
import re
import sys
import threading
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import typer

from actors.platform.ports import free_port
from serve.cli import app, main
from serve.commands.running import asking
from serve.demo.replayer import EngineClient

CONFIGS = Path(__file__).resolve().parents[3] / "configs"
GOOD = json.dumps(
    {"type": "track", "userId": "ada", "event": "X", "timestamp": "2026-03-02T09:00:00Z", "messageId": "1"}
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with files of all kinds, and no engine anywhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEGUE_SERVER_KEY", "sk")
    monkeypatch.setenv("SEGUE_URL", f"http://127.0.0.1:{free_port()}")
    (tmp_path / "good.jsonl").write_text(GOOD)
    (tmp_path / "bad.jsonl").write_text("nonsense\n" * 3)
    (tmp_path / "mixed.jsonl").write_text(f"nonsense\n{GOOD}\n")
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "torn.jsonl.gz").write_bytes(b"\x1f\x8b no")
    (tmp_path / "folder").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "policies.yaml").write_text("caps: [{id: a, limit: many, per: 7d}]")
    (tmp_path / "fixed.json").write_text("[1]")
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: str) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["segue", *words.split()])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


TABLE = [
    ("--version", 0, ""),
    ("--help", 0, ""),
    ("journey --help", 0, ""),
    (f"validate --config {CONFIGS}", 0, ""),
    ("init new", 0, ""),
    ("init folder --template blank", 0, ""),
    ("init broken", 2, "broken: is not empty"),
    ("init good.jsonl", 2, "good.jsonl: is not a directory"),
    ("init new --template pizza", 2, "--template.*'pizza' is not one of 'shop', 'blank'"),
    ("simulate --events good.jsonl", 0, ""),
    ("simulate --events empty.jsonl", 0, ""),
    ("simulate --events mixed.jsonl", 0, "1 of 2 lines were not taken"),
    ("simulate --events bad.jsonl", 1, "none of the 3 lines can be used: .*bad.jsonl:1: is not JSON"),
    ("simulate --events bad.jsonl --json", 1, "none of the 3 lines"),
    ("simulate --events torn.jsonl.gz", 1, "none of the 1 lines can be used: .*damaged from here on"),
    ("simulate --events nothing.jsonl", 2, "nothing.jsonl: cannot be read: No such file"),
    ("simulate --events folder", 2, "folder: cannot be read: Is a directory"),
    ("simulate --events good.jsonl --config broken", 2, r"policies.yaml:1: caps\[1\].limit"),
    ("simulate --events good.jsonl --against nowhere", 2, "nowhere:1: directory"),
    ("simulate --events good.jsonl --out folder", 2, "--out folder: cannot be written"),
    ("simulate --events good.jsonl --shards 0", 2, "--shards"),
    ("simulate", 2, "needs either --events FILE… or --data DIR"),
    ("validate --config broken", 2, r"policies.yaml:1: caps\[1\].limit"),
    ("validate --config nowhere", 2, "nowhere:1: directory"),
    ("train --model none --data folder", 2, "none"),
    ("replay nothing.jsonl", 2, "nothing.jsonl: cannot be read: No such file"),
    ("replay folder", 2, "folder: cannot be read: Is a directory"),
    ("replay good.jsonl", 2, "no engine answers at http://127.0.0.1:"),
    ("replay good.jsonl --rate fast", 2, "--rate: is a number of events a second, or max"),
    ("replay good.jsonl --url ftp://x", 2, "no engine answers at ftp://x"),
    ("replay good.jsonl --url http://x:y", 2, "--url"),
    ("profile ada", 2, "must be written namespace:value"),
    ("profile email:red", 2, "is not an e-mail address"),
    ("profile email:ada", 2, "email"),
    ("profile user_id:ada", 2, "no engine answers"),
    ("pin ada", 2, "must be written namespace:value"),
    ("unpin user_id:ada", 2, "no engine answers"),
    ("journey list", 2, "no engine answers"),
    ("journey lst", 2, "no command 'lst', did you mean 'list'"),
    ("dead-letters", 2, "no engine answers"),
    ("identity status", 2, "no engine answers"),
    ("identity status --json", 2, "no engine answers"),
    ("sandbox", 2, "no engine answers"),
    ("transitions", 2, "no engine answers"),
    ("sandbox ada", 2, "must be written namespace:value"),
    ("sandbox phone:01711234567", 2, "no engine answers"),
    ("sandbox --limit 0", 2, "--limit"),
    ("dead-letters --retry 1 --discard 2", 2, "--retry: cannot be used with --discard"),
    ("dead-letters --retry 1 --event fixed.json", 2, "--event: fixed.json holds no JSON object"),
    ("backup copy", 2, "no engine answers"),
    ("backup copy --data folder", 2, "--data: folder is no data directory"),
    ("restore nowhere", 2, "--keys: there are no keys"),
    ("restore nowhere --check-only", 1, "manifest.json: cannot be read"),
    ("reshard --shards 0", 2, "--shards: must be from 1 to 256"),
    ("reshard --shards 3 --data folder", 2, "--data: folder is no data directory"),
    ("verify --data folder", 2, "--data: folder is no data directory"),
    ("keys list --data folder", 2, "--data: folder is no data directory"),
    ("keys create", 2, "Missing argument 'name'"),
    ("dashboard --out folder", 2, "folder: Is a directory"),
    ("bench --json folder", 2, "--json: folder cannot be written"),
    ("up --port http", 2, "--port"),
    ("up --colour red", 2, "No such option: --colour"),
    ("up --config broken", 2, r"policies.yaml:1: caps\[1\].limit"),
    ("prfile x", 2, "no command 'prfile', did you mean 'profile'"),
    ("xyzzy", 2, "no command 'xyzzy'"),
]


@pytest.mark.parametrize(("words", "code", "told"), TABLE, ids=[words for words, _, _ in TABLE])
def test_each_command_ends_as_the_reference_says(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: str, code: int, told: str
):
    ended, _, err = run(monkeypatch, capsys, words)
    assert ended == code, err
    assert re.search(told, err), err
    assert "Traceback" not in err and (code == 0 or err.count("\n") == 1), err


def test_the_version_is_that_of_the_package(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert run(monkeypatch, capsys, "--version") == (0, f"segue {version('segue')}\n", "")


def every_command() -> Iterator[tuple[str, Any]]:
    """Each command that does something, with its words."""
    group: Any = typer.main.get_command(app)
    context = typer.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        inner = getattr(command, "commands", {})
        yield from ((f"{name} {word}", each) for word, each in inner.items())
        if not inner:
            yield name, command


def test_each_command_has_help(here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    for words, command in every_command():
        code, out, err = run(monkeypatch, capsys, f"{words} --help")
        assert (code, err) == (0, ""), words
        assert command.help and command.help.split()[0] in out, words
        assert all(parameter.help for parameter in command.params), words


def test_help_in_a_pipe_is_not_folded(here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.delenv("COLUMNS", raising=False)
    lines = run(monkeypatch, capsys, "--help")[1].splitlines()
    assert any(re.match(r" *init +Make a workspace: .* says what is what\.$", line) for line in lines), lines
    lines = run(monkeypatch, capsys, "up --help")[1].splitlines()
    assert any(
        re.match(r" *--clock .*it moves only by POST /v1/clock\. .*\[default: wall\]$", line) for line in lines
    ), lines


def test_each_command_that_asks_an_engine_asks_at_the_same_place():
    urls = {
        words: option
        for words, command in every_command()
        for option in command.params
        if "--url" in getattr(option, "opts", ())
    }
    assert {words.split()[0] for words in urls} >= {
        "replay",
        "profile",
        "journey",
        "pin",
        "unpin",
        "backup",
        "dead-letters",
        "sandbox",
    }
    assert {
        words for words, option in urls.items() if option.envvar != "SEGUE_URL" or option.default != asking.HERE
    } == set()


def test_an_option_wins_over_the_environment(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert (
        "no engine answers at http://127.0.0.1:1:"
        in run(monkeypatch, capsys, "profile user_id:ada --url http://127.0.0.1:1")[2]
    )


@pytest.mark.parametrize("key", ["", "sk with space", "schlüssel", "sk\nsecret"])
def test_a_key_that_can_be_none_is_named_and_not_shown(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], key: str
):
    monkeypatch.setenv("SEGUE_SERVER_KEY", key)
    code, _, err = run(monkeypatch, capsys, "profile user_id:ada")
    assert code == 2 and err.startswith("segue: SEGUE_SERVER_KEY: ")
    assert not key or key not in err


class _Stranger(http.server.BaseHTTPRequestHandler):
    """Some other server: it answers everything, with what is no answer of an engine."""

    body = b"<html>hello</html>"
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.mark.parametrize(("status", "body"), [(200, b"<html>hello</html>"), (200, b"[1]"), (404, b"[1]"), (404, b"no")])
def test_another_server_than_an_engine_is_no_traceback(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], status: int, body: bytes
):
    monkeypatch.setattr(_Stranger, "body", body)
    monkeypatch.setattr(_Stranger, "status", status)
    with http.server.HTTPServer(("127.0.0.1", 0), _Stranger) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        code, _, err = run(monkeypatch, capsys, f"profile user_id:ada --url http://127.0.0.1:{server.server_port}")
        server.shutdown()
    assert (code, err.count("\n")) == (2, 1) and "Traceback" not in err


def test_a_history_of_which_the_engine_takes_nothing_is_a_failure(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    answers = {"/v1/status": {"clock": "wall", "events": {"accepted": 0, "repeated": 0}}}
    monkeypatch.setattr(EngineClient, "get", lambda self, path, **query: answers[path])
    assert run(monkeypatch, capsys, "replay empty.jsonl")[0] == 0
    code, _, err = run(monkeypatch, capsys, "replay bad.jsonl")
    assert code == 1 and re.fullmatch(
        r"segue: none of the 3 lines can be used: .*bad.jsonl:1: is not JSON in UTF-8\n", err
    )
