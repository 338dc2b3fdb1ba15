"""A sweep of `make prove`: a healthy but slow mail server gets many letters at once, over one connection.

Every letter arrives once and is `sent`; none becomes `unknown`, none fails, and none is tried twice. Half-way, the last
customer in the queue opts out: that letter never leaves.
"""

from __future__ import annotations

import asyncio
import email
import secrets
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

import httpx
from aiosmtpd.controller import Controller

from actors.platform.ports import free_port
from loadtest.chaos.killer import ChaosEngine
from loadtest.chaos.outcome import Figure, Outcome
from loadtest.chaos.shop import write_catalog
from loadtest.processes.engine import EngineError

LETTERS, TAKES_S = 500, 2.0
_SHARDS: Final = 3
_AT_ONCE: Final = 50
_SLACK_S: Final = 90.0
_SLACK: Final = 1.5  # of the time that the letters take one after the other
_LOOK_S: Final = 1.0


class SlowMailServer:
    """A real SMTP server on loopback that takes its time over each mail; it listens until `close`."""

    def __init__(self, takes_s: float) -> None:
        self.port = free_port()
        self.arrived: list[str] = []  # the addresses, in order
        self._takes_s = takes_s
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Take one mail; called by the SMTP server."""
        await asyncio.sleep(self._takes_s)
        self.arrived.append(str(email.message_from_bytes(envelope.content)["To"]))
        return "250 kept"

    def close(self) -> None:
        """Stop listening."""
        self._controller.stop()


def sweep(letters: int, folder: Path, takes_s: float = TAKES_S) -> Outcome:
    """Send `letters` at once to a server that takes `takes_s` for each. The engine's data and log lie in `folder`."""
    keys = {"SEGUE_WRITE_KEY": secrets.token_urlsafe(24), "SEGUE_SERVER_KEY": secrets.token_urlsafe(24)}
    mailbox = SlowMailServer(takes_s)
    engine = ChaosEngine(folder, write_catalog(folder / "configs"), keys, mailbox.port, _SHARDS)
    made = Outcome()
    try:
        engine.start()
        with httpx.Client(base_url=engine.url, trust_env=False, timeout=60) as client:
            _play(client, keys, letters, takes_s, mailbox, made)
    except (EngineError, httpx.HTTPError) as error:
        made.faults.append(f"the sweep broke off: {type(error).__name__} {error}")
    finally:
        killed = engine.stop()
        mailbox.close()
    if killed:
        made.faults.append(f"the engine did not stop cleanly; killed: {killed}")
    return made


def _play(
    client: httpx.Client, keys: dict[str, str], letters: int, takes_s: float, mailbox: SlowMailServer, made: Outcome
) -> None:
    events = [event for number in range(letters) for event in _wants_a_letter(f"p{number}")]
    began_s = time.monotonic()
    for start in range(0, len(events), _AT_ONCE):
        _told(client.post("/v1/batch", auth=(keys["SEGUE_WRITE_KEY"], ""), json={"batch": events[start:][:_AT_ONCE]}))
    until_s = began_s + _SLACK_S + _SLACK * takes_s * letters
    leaver, has_left = f"p{letters}", False
    while time.monotonic() < until_s:
        if not has_left and 2 * len(mailbox.arrived) >= letters:
            has_left = _leave(client, keys, leaver)
        if has_left and _status(client, keys)["waiting"] == 0:
            break
        time.sleep(_LOOK_S)
    took_s = time.monotonic() - began_s
    sends, tries = _status(client, keys), _tries(client, keys, letters)
    _account(made, letters, sends, Counter(mailbox.arrived), tries, f"{leaver}@shop.example")
    made.figures += [
        Figure("letters", letters),
        Figure("a mail takes", takes_s, "s"),
        *(Figure(outcome, sends[outcome]) for outcome in ("sent", "unknown", "failed", "refused", "withdrawn")),
        Figure("waiting still", sends["waiting"]),
        Figure("letters that were tried again", tries["retry"]),
        Figure("mails that arrived", len(mailbox.arrived)),
        Figure("all of it took", round(took_s, 1), "s"),
        Figure("one after the other would take", letters * takes_s, "s"),
    ]


def _wants_a_letter(user: str) -> list[dict[str, Any]]:
    known = {"type": "identify", "userId": user, "traits": {"email": f"{user}@shop.example"}}
    return [known, {"type": "track", "userId": user, "event": "Letter Wanted", "properties": {"key": user}}]


def _leave(client: httpx.Client, keys: dict[str, str], user: str) -> bool:
    """A customer wants a letter, the last in the queue, and then opts out of all mail."""
    _told(client.post("/v1/batch", auth=(keys["SEGUE_WRITE_KEY"], ""), json={"batch": _wants_a_letter(user)}))
    no = {"identifiers": {"user_id": user}, "purpose": "marketing", "channel": "email", "granted": False}
    no["source"] = "the preference centre"
    _told(client.post("/v1/consent", headers={"x-api-key": keys["SEGUE_SERVER_KEY"]}, json=no))
    return True


def _told(answer: httpx.Response) -> None:
    if answer.status_code != 200:
        raise EngineError(f"{answer.url.path} was answered {answer.status_code}: {answer.text[:200]}")


def _status(client: httpx.Client, keys: dict[str, str]) -> dict[str, int]:
    answer = client.get("/v1/status", headers={"x-api-key": keys["SEGUE_SERVER_KEY"]})
    _told(answer)
    return dict(answer.json()["sends"])


def _tries(client: httpx.Client, keys: dict[str, str], letters: int) -> Counter[str]:
    """How many timelines have each outcome of a send in them."""
    words: Counter[str] = Counter()
    for number in range(letters):
        path = f"/v1/profiles/user_id:p{number}/timeline?limit=100"
        answer = client.get(path, headers={"x-api-key": keys["SEGUE_SERVER_KEY"]})
        _told(answer)
        words.update({entry["outcome"] for entry in answer.json()["entries"] if entry["kind"] == "send"})
    return words


def _account(
    made: Outcome, letters: int, sends: dict[str, int], arrived: Counter[str], tries: Counter[str], leaver: str
) -> None:
    wanted = {"sent": letters, "withdrawn": 1, "unknown": 0, "failed": 0, "refused": 0, "waiting": 0}
    for outcome, count in wanted.items():
        if sends[outcome] != count:
            made.faults.append(f"{sends[outcome]:,} letters are {outcome}, and not {count:,}")
    for what in ("retry", "unknown", "failed"):
        if tries[what]:
            made.faults.append(f"{tries[what]:,} letters had a {what} on their way")
    twice = [address for address, count in arrived.items() if count > 1]
    if twice:
        made.faults.append(f"{len(twice):,} letters arrived twice, as {twice[0]}")
    if leaver in arrived:
        made.faults.append("a letter left after its customer had opted out")
    if len(arrived) < letters:
        made.faults.append(f"{letters - len(arrived):,} letters never arrived")
