"""Keys: made once, kept as hashes, found in whatever a client sends."""

import base64
import pickle
import stat

import pytest
from typer.testing import CliRunner

from actors.platform.clock import ReplayClock
from engine.errors import Forbidden, Overloaded, Unauthorised, UsageError
from serve.cli import app
from serve.http import auth
from serve.http.auth import KeyRing, Principal, require_server
from serve.http.rates import Rates

WEB, SERVER = Principal("write", "web"), Principal("server", "server")


@pytest.fixture
def ring(tmp_path):
    return KeyRing.load_or_create(tmp_path / "keys.json", "wk_test", "sk_test")[0]


def basic(text):
    return [(b"content-type", b"x"), (b"authorization", b"Basic " + base64.b64encode(text.encode()))]


def test_the_first_keys_are_made_once_and_only_their_hashes_are_kept(tmp_path):
    path = tmp_path / "keys.json"
    ring, made = KeyRing.load_or_create(path)
    assert made["write"].startswith("wk_") and made["server"].startswith("sk_")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not any(key in path.read_text() or key in repr(ring) for key in made.values())
    again, nothing = KeyRing.load_or_create(path)
    assert (again, nothing) == (ring, {})
    assert again.identify({b"x-api-key": made["server"].encode()}) == SERVER


def test_keys_from_the_environment_are_the_first_keys_and_can_be_changed(tmp_path):
    path = tmp_path / "keys.json"
    _, made = KeyRing.load_or_create(path, "wk_mine", None)
    assert list(made) == ["server"]
    ring, nothing = KeyRing.load_or_create(path, "wk_new", None)
    assert nothing == {}
    assert ring.identify({b"x-api-key": b"wk_new"}) == WEB
    assert ring.identify({b"x-api-key": made["server"].encode()}) == SERVER
    with pytest.raises(Unauthorised):
        ring.identify({b"x-api-key": b"wk_mine"})


@pytest.mark.parametrize(
    ("headers", "body_key", "expected"),
    [
        (basic("wk_test:"), None, WEB),
        (basic("sk_test:"), None, SERVER),
        (basic("wk_test"), None, WEB),
        ([(b"authorization", b"Bearer sk_test")], None, SERVER),
        ([(b"authorization", b"bEARER  wk_test ")], None, WEB),
        ([(b"x-api-key", b"wk_test")], None, WEB),
        ([(b"authorization", b"Bearer wk_test")], None, WEB),
        ([], "wk_test", WEB),
        (basic("sk_test:"), "wk_test", SERVER),
    ],
)
def test_a_key_is_found_wherever_clients_put_it(ring, headers, body_key, expected):
    assert pickle.loads(pickle.dumps(ring)).identify(dict(headers), body_key) == expected


@pytest.mark.parametrize(
    ("headers", "body_key"),
    [
        ([], None),
        ([], ""),
        ([], "wk_tes"),
        ([], "sk_test"),
        (basic(":wk_test"), None),
        (basic("wk_wrong:"), "wk_test"),
        ([(b"authorization", b"Basic %%%")], "wk_test"),
        ([(b"authorization", b"Basic " + base64.b64encode(b"\xff\xfe"))], None),
        ([(b"authorization", b"Digest wk_test")], None),
        ([(b"authorization", b"wk_test")], None),
        ([(b"x-api-key", b"\xff" * 10_000)], None),
        ([], "\ud800"),
    ],
)
def test_everyone_else_is_unauthorised(ring, headers, body_key):
    with pytest.raises(Unauthorised):
        ring.identify(dict(headers), body_key)


def test_a_write_key_may_not_do_what_needs_a_server_key():
    require_server(SERVER)
    with pytest.raises(Forbidden):
        require_server(WEB)


@pytest.mark.parametrize(
    ("write_key", "server_key"), [("same", "same"), ("a b", None), ("a:b", None), (None, "ü"), ("x" * 257, None)]
)
def test_a_key_that_cannot_work_is_said_before_anything_is_written(tmp_path, write_key, server_key):
    with pytest.raises(UsageError):
        KeyRing.load_or_create(tmp_path / "keys.json", write_key, server_key)
    assert list(tmp_path.iterdir()) == []


def test_a_keys_file_that_is_broken_or_cannot_be_written_is_said_in_one_line(tmp_path):
    (tmp_path / "keys.json").write_text('{"keys": [{"name": "web"}]}')
    with pytest.raises(UsageError, match="cannot be read"):
        KeyRing.load_or_create(tmp_path / "keys.json")
    with pytest.raises(UsageError, match="cannot be written"):
        KeyRing.load_or_create(tmp_path / "nowhere" / "keys.json")


def test_a_key_is_made_listed_and_revoked(tmp_path):
    path = tmp_path / "keys.json"
    KeyRing.load_or_create(path, "wk_test", "sk_test")
    plain = auth.create(path, "app", "write", 5.0)
    assert plain.startswith("wk_") and plain not in path.read_text()
    assert KeyRing.read(path).identify({b"x-api-key": plain.encode()}) == Principal("write", "app", 5.0)
    assert [(key.name, key.kind, key.per_s) for key in auth.known(path)][-1] == ("app", "write", 5.0)
    for fault in ("app", "a b", "", "x" * 101):
        with pytest.raises(UsageError):
            auth.create(path, fault, "write")
    auth.revoke(path, "app")
    with pytest.raises(Unauthorised):
        KeyRing.read(path).identify({b"x-api-key": plain.encode()})
    with pytest.raises(UsageError, match="no key called app"):
        auth.revoke(path, "app")


def test_the_command_shows_a_key_once_and_names_what_is_wrong(tmp_path):
    KeyRing.load_or_create(tmp_path / "keys.json", "wk_test", "sk_test")
    run = CliRunner()
    made = run.invoke(app, ["keys", "create", "app", "--kind", "server", "--data", str(tmp_path)])
    assert made.exit_code == 0 and made.output.startswith("sk_")
    listed = run.invoke(app, ["keys", "list", "--data", str(tmp_path)])
    assert "app" in listed.output and made.output.strip() not in listed.output
    assert run.invoke(app, ["keys", "revoke", "app", "--data", str(tmp_path)]).exit_code == 0
    assert isinstance(run.invoke(app, ["keys", "list", "--data", str(tmp_path / "no")]).exception, UsageError)


def test_a_key_with_a_rate_is_told_when_to_come_back():
    clock = ReplayClock()
    rates = Rates(clock)
    slow, free = Principal("write", "slow", 2.0), Principal("write", "free")
    for _ in range(4):
        rates.take(slow)
    with pytest.raises(Overloaded) as refused:
        rates.take(slow)
    assert refused.value.retry_after_ms == 500
    for _ in range(100):
        rates.take(free)
    clock.move_to(500)
    rates.take(slow)
    with pytest.raises(Overloaded):
        rates.take(slow)
