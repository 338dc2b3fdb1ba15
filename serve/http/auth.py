"""The keys by which callers are known: the kind of each, and the name under which its events are kept.

A write key is public (it stands in web pages), a server key may do everything. Only hashes are kept, and compared in
constant time. A plain SHA-256 is enough, because the keys are long and random (or the operator's own choice).
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import msgspec

from actors.platform import durable
from engine.errors import Forbidden, Unauthorised, UsageError
from serve.http.protocol import Headers

Kind = Literal["write", "server"]

KEY_CHARS_MAX: Final = 256
_FIRST_KEYS: Final[tuple[tuple[str, Kind, str], ...]] = (("web", "write", "wk_"), ("server", "server", "sk_"))


class Principal(msgspec.Struct, frozen=True):
    """The holder of a key. `source` is the key's name, which is the source of its events. `per_s` is how many requests
    a second it may send, 0 for any number. `user_secret` proves user ids; it is empty where none was made."""

    kind: Kind
    source: str
    per_s: float = 0.0
    user_secret: str = ""


class Key(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A key as its file keeps it. `user_secret` is kept in plain text, because hashes are made with it."""

    name: str
    kind: Kind
    sha256: str
    per_s: float = 0.0
    user_secret: str = ""


class _KeysFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file of the keys. One without a check was written by an earlier version, or by hand."""

    keys: tuple[Key, ...]
    version: Literal[1] = 1
    check: str = ""  # over the keys: a changed hash would lock somebody out and say nothing


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The known keys, hashed; plain data, so that every ingress replica can be given one."""

    keys: tuple[Key, ...]

    @classmethod
    def load_or_create(
        cls, path: Path, write_key: str | None = None, server_key: str | None = None
    ) -> tuple[KeyRing, dict[str, str]]:
        """The keys of a data directory, and those just made in plain text by kind, to be shown once.

        A given key takes the place of the first one of its kind, at a later start too; without one, a missing key is
        made. The file has mode 0600 and is replaced as a whole. `UsageError` where it cannot be read or written.
        """
        given = {"write": _usable(write_key, "SEGUE_WRITE_KEY"), "server": _usable(server_key, "SEGUE_SERVER_KEY")}
        known = {key.name: key for key in _read(path)}
        before, made = dict(known), dict[str, str]()
        for name, kind, prefix in _FIRST_KEYS:
            plain = given[kind]
            if plain is None and name not in known:
                plain = made[kind] = prefix + secrets.token_urlsafe(32)
            if plain is not None:
                before_it = known.get(name)
                known[name] = Key(name, kind, _hashed(plain), user_secret=before_it.user_secret if before_it else "")
        if len({key.sha256 for key in known.values()}) < len(known):
            raise UsageError("two keys are equal: a write key is public and must not be the server key")
        if known != before or not _has_check(path):  # a file of an earlier version gets its check
            _write(path, tuple(known.values()))
        return cls(tuple(known.values())), made

    @classmethod
    def read(cls, path: Path) -> KeyRing:
        """The keys as they stand in their file; UsageError where there is none."""
        if not path.exists():
            raise UsageError(f"the keys file {path} is missing")
        return cls(_read(path))

    def identify(self, headers: Headers, body_key: str | None = None) -> Principal:
        """Who holds the key of this request; `Unauthorised` without one that is known.

        Header names are lower case, as ASGI has them. `body_key` counts only where no header carries a key, and must
        be a write key: a server key that was typed into a page should fail at once.
        """
        presented = _presented(headers)
        principal = self._find(presented or body_key or "")
        if principal is None:
            raise Unauthorised("the key is not known" if presented or body_key else "a key is needed")
        if not presented and principal.kind != "write":
            raise Unauthorised("a server key belongs into a header, not into the body", "writeKey")
        return principal

    def _find(self, plain: str) -> Principal | None:
        hashed, found = _hashed(plain), None
        for key in self.keys:  # to the end always, so that the time tells nothing
            if hmac.compare_digest(key.sha256, hashed):
                found = Principal(key.kind, key.name, key.per_s, key.user_secret)
        return found


def known(path: Path) -> tuple[Key, ...]:
    """The keys as their file keeps them."""
    return _read(path)


def create(path: Path, name: str, kind: Kind, per_s: float | None = None) -> str:
    """A new key, in plain text; only its hash is kept. UsageError for a name that is taken or cannot be one."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}", name):
        raise UsageError("a name is made of letters, digits, _ and -, at most 100 of them", "NAME")
    plain = f"{'wk' if kind == 'write' else 'sk'}_{secrets.token_urlsafe(32)}"
    with _alone(path):
        keys = _read(path)
        if any(key.name == name for key in keys):
            raise UsageError(f"there is a key called {name} already", "NAME")
        _write(path, (*keys, Key(name, kind, _hashed(plain), per_s or 0.0)))
    return plain


def revoke(path: Path, name: str) -> None:
    """From now on a key opens nothing. UsageError where there is none of that name."""
    with _alone(path):
        keys = _read(path)
        left = tuple(key for key in keys if key.name != name)
        if left == keys:
            raise UsageError(f"there is no key called {name}", "NAME")
        _write(path, left)


def make_user_secret(path: Path, name: str) -> str:
    """A new secret that proves user ids under a write key, in the place of an older one. UsageError where there is no
    such key."""
    secret = secrets.token_hex(32)
    with _alone(path):
        keys = _read(path)
        if not any(key.name == name and key.kind == "write" for key in keys):
            raise UsageError(f"there is no write key called {name}", "NAME")
        changed = (msgspec.structs.replace(key, user_secret=secret) if key.name == name else key for key in keys)
        _write(path, tuple(changed))
    return secret


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One change at a time. The lock is on a file beside the keys, because a change replaces the file of the keys."""
    with path.with_name(path.name + ".lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def shows_key(headers: Headers) -> bool:
    """Whether a request has a header that holds a key, known or not; an empty one holds none."""
    return any(headers.get(name, b"").strip() for name in (b"authorization", b"x-api-key"))


def require_server(principal: Principal) -> None:
    """Forbidden for the holder of a write key."""
    if principal.kind != "server":
        raise Forbidden("this needs a server key")


def _hashed(plain: str) -> str:
    # One character more than any key has is enough to match none, and bounds the work for a huge one.
    return hashlib.sha256(plain[: KEY_CHARS_MAX + 1].encode(errors="surrogatepass")).hexdigest()


def _usable(plain: str | None, variable: str) -> str | None:
    """A key from the environment, checked for what would not survive a header; None where none is set."""
    if not plain:
        return None
    if len(plain) > KEY_CHARS_MAX or not plain.isascii() or not plain.isprintable() or set(" :,") & set(plain):
        raise UsageError(
            f"{variable} must be at most {KEY_CHARS_MAX} printable ASCII characters without space, : and ,"
        )
    return plain


def _presented(headers: Headers) -> str:
    """The key that the headers carry: `Authorization` (Basic with the key as user, or Bearer), else `X-API-Key`."""
    authorization = headers.get(b"authorization", b"").decode("latin-1").strip()
    if not authorization:
        return headers.get(b"x-api-key", b"").decode("latin-1").strip()
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(credentials.strip(), validate=True).decode().partition(":")[0]
        except ValueError:  # not base64, or bytes that are no text
            raise Unauthorised("the Basic credentials cannot be read") from None
    raise Unauthorised("only the schemes Basic and Bearer are known")


def _read(path: Path) -> tuple[Key, ...]:
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_KeysFile)
    except FileNotFoundError:
        return ()
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise UsageError(f"the keys file {path} cannot be read: {fault}") from None
    if found.check and found.check != _check_of(found.keys):
        raise UsageError(f"the keys file {path} is damaged: it is not as it was written")
    return found.keys


def _has_check(path: Path) -> bool:
    return path.exists() and bool(msgspec.json.decode(path.read_bytes(), type=_KeysFile).check)


def _check_of(keys: tuple[Key, ...]) -> str:
    return hashlib.blake2b(msgspec.json.encode(keys), digest_size=16).hexdigest()


def _write(path: Path, keys: tuple[Key, ...]) -> None:
    """Replace the file in one step: a crash leaves the old keys or the new ones, never none."""
    content = msgspec.json.encode(_KeysFile(keys, check=_check_of(keys)))
    try:
        durable.write(path, msgspec.json.format(content, indent=2))
    except OSError as fault:
        raise UsageError(f"the keys file {path} cannot be written: {fault.strerror or fault}") from None
