"""A mail server fails at each stage of the dialogue: what is said of the letter is what the server can have of it.

Before the last line of a mail may have left, it was surely not taken; after it nobody knows; a server's word about this
very letter is final, a word about itself or about the configuration is not.
"""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest
import uvloop
from support.scripted_smtp import STAGES, ScriptedSmtp

from actors.delivery.channels.adapter import Message
from actors.delivery.channels.smtp import SmtpAdapter
from engine.errors import Refused, Unavailable, Unknown

MESSAGE = Message(
    send_id="5eed",
    channel="email",
    address="ada@example.com",
    subject="Shoes",
    html="<p>Hallo</p>",
    text="Hallo\n",
    at_ms=1_772_366_400_000,
    idempotency_key="5eed",
    deadline_s=20,
)
LARGE = dataclasses.replace(MESSAGE, html="", text="a line of a long letter\n" * 1_000_000)
SETTINGS = {"tls": "none", "username_env": "U", "password_env": "W"}
ENVIRON = {"U": "ada", "W": "secret"}
BEFORE_THE_END = ("greeting", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA")
RUNNERS = (asyncio.new_event_loop, uvloop.new_event_loop)


def told(at: dict[str, str], *messages: Message, times: int | None = None, **settings: Any) -> tuple[list[Any], Any]:
    """What is said of each message (its reference or its error's class), and the server."""

    async def story() -> tuple[list[Any], ScriptedSmtp]:
        async with ScriptedSmtp(at, times=times).open() as server:
            if "STARTTLS" in at:
                settings["tls"] = "starttls"
            adapter = SmtpAdapter({**SETTINGS, "port": server.port, "timeout_s": 10} | settings, ENVIRON)
            said: list[Any] = []
            for message in messages or (MESSAGE,):
                try:
                    said.append(await adapter.send(message))
                except (Refused, Unavailable, Unknown) as error:
                    said.append(type(error))
            await adapter.close()
            return said, server

    return asyncio.run(asyncio.wait_for(story(), 25))


def test_the_scripted_server_takes_a_mail_that_it_is_told_nothing_about():
    said, server = told({}, MESSAGE, MESSAGE)
    assert said == ["queued as 7"] * 2 and len(server.taken) == 2 and server.connections == 1


@pytest.mark.parametrize("stage", BEFORE_THE_END)
@pytest.mark.parametrize("settings", [{"timeout_s": 0.3}, {}], ids=["the command's time is up", "the hand-over's is"])
def test_a_server_that_stalls_before_the_end_of_the_mail_took_nothing(stage: str, settings: dict[str, Any]):
    message = MESSAGE if settings else dataclasses.replace(MESSAGE, deadline_s=0.5)
    said, server = told({stage: "stall"}, message, **settings)
    assert said == [Unavailable] and server.taken == []


@pytest.mark.parametrize("stage", BEFORE_THE_END)
def test_a_server_that_hangs_up_before_the_end_of_the_mail_took_nothing(stage: str):
    said, server = told({stage: "drop"})
    assert said == [Unavailable] and server.taken == []


@pytest.mark.parametrize("stage", BEFORE_THE_END)
@pytest.mark.parametrize("code", ["421", "450", "451", "454", "999", "nonsense"])
def test_a_server_that_says_later_or_nonsense_before_the_end_of_the_mail_took_nothing(stage: str, code: str):
    said, server = told({stage: f"{code} not now"})
    assert said == [Unavailable] and server.taken == []


@pytest.mark.parametrize(
    ("stage", "code", "expected"),
    [
        ("greeting", "554", Unavailable),  # of itself
        ("greeting", "521", Unavailable),
        ("EHLO", "550", Unavailable),
        ("EHLO", "502", Unavailable),
        ("STARTTLS", "502", Unavailable),
        ("AUTH", "535", Unavailable),
        ("AUTH", "504", Unavailable),
        ("MAIL", "530", Unavailable),  # of the sender, which is every letter's
        ("MAIL", "553", Unavailable),
        ("RCPT", "530", Unavailable),
        ("RCPT", "503", Unavailable),
        ("DATA", "503", Unavailable),
        ("RCPT", "550", Refused),  # of this letter
        ("RCPT", "553", Refused),
        ("DATA", "554", Refused),
        ("end", "550", Refused),
        ("end", "552", Refused),
        ("end", "450", Unavailable),
        ("end", "421", Unavailable),
        ("end", "999", Unknown),
    ],
)
def test_a_no_is_final_only_where_it_is_about_this_letter(stage: str, code: str, expected: type):
    said, server = told({stage: f"{code} no"})
    assert said == [expected] and server.taken == []


@pytest.mark.parametrize("what", ["stall", "drop", "nonsense"])
def test_after_the_end_of_the_mail_nobody_knows(what: str):
    said, _ = told({"end": what}, dataclasses.replace(MESSAGE, deadline_s=0.5))
    assert said == [Unknown]


def test_a_server_that_takes_its_time_over_the_end_but_answers_in_time_has_taken_it():
    said, server = told({"end": "wait 1"}, timeout_s=0.4)
    assert said == ["queued as 7"] and len(server.taken) == 1


@pytest.mark.parametrize("what", ["drop", "stall"])
def test_what_comes_after_the_yes_changes_nothing(what: str):
    said, server = told({"after": what}, MESSAGE, MESSAGE, times=1, timeout_s=0.5)
    assert said == ["queued as 7"] * 2 and len(server.taken) == 2 and server.connections == 2


@pytest.mark.parametrize("loop", RUNNERS)
@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("stall", Unavailable),
        ("drop", Unavailable),
        ("552 too large", Refused),
        ("452 no room", Unavailable),
        ("421 closing", Unavailable),
    ],
)
def test_a_mail_whose_last_line_never_left_was_not_taken(what: str, expected: type, loop: Any):
    async def story() -> None:
        async with ScriptedSmtp({"body": what}).open() as server:
            adapter = SmtpAdapter({"port": server.port, "timeout_s": 0.5}, {})
            with pytest.raises(expected):
                await adapter.send(LARGE)
            assert server.taken == []

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(asyncio.wait_for(story(), 15))


@pytest.mark.parametrize("loop", RUNNERS)
def test_a_large_mail_arrives_whole(loop: Any):
    async def story() -> None:
        async with ScriptedSmtp({}).open() as server:
            adapter = SmtpAdapter({"port": server.port}, {})
            mail = dataclasses.replace(MESSAGE, html="", text=".a\r\nb\rc\n" * 40_000)
            assert await adapter.send(mail) == "queued as 7"
            await adapter.close()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(asyncio.wait_for(story(), 15))


@pytest.mark.parametrize("stage", sorted({*BEFORE_THE_END} - {"STARTTLS"}))
def test_after_a_bad_dialogue_the_next_letter_gets_a_good_one(stage: str):
    said, server = told({stage: "421 restarting"}, MESSAGE, MESSAGE, times=1)
    assert said == [Unavailable, "queued as 7"] and len(server.taken) == 1


def test_the_time_of_a_letter_begins_with_its_dialogue_and_not_with_its_place_in_the_line():
    async def story() -> None:
        async with ScriptedSmtp({"end": "wait 0.15"}).open() as server:
            adapter = SmtpAdapter({"port": server.port}, {})
            letters = [dataclasses.replace(MESSAGE, send_id=f"s{n}", deadline_s=1.2) for n in range(10)]
            assert await asyncio.gather(*map(adapter.send, letters)) == ["queued as 7"] * 10
            assert (len(server.taken), server.connections) == (10, 1)
            await adapter.close()

    asyncio.run(asyncio.wait_for(story(), 15))


def test_a_letter_that_was_put_off_at_its_end_and_then_found_nobody_was_surely_not_taken():
    async def story() -> None:
        async with ScriptedSmtp({}).open() as server:
            adapter = SmtpAdapter({"port": server.port, "timeout_s": 0.3}, {})
            assert await adapter.send(MESSAGE) == "queued as 7"
            server.at |= {"end": "421 restarting", "greeting": "stall"}
            with pytest.raises(Unavailable):
                await adapter.send(MESSAGE)
            assert len(server.taken) == 1 and server.connections == 2

    asyncio.run(asyncio.wait_for(story(), 15))


def test_every_stage_is_in_these_tests():
    assert {*BEFORE_THE_END, "body", "end", "after"} == set(STAGES)
