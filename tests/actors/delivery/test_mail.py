"""The bytes of a mail: what a mail client reads from them is what was meant, and no line is longer than it may be."""

from __future__ import annotations

import asyncio
import dataclasses
import email
import email.policy
import re
import socket
from email.header import decode_header, make_header
from email.utils import parseaddr

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.scripted_smtp import ScriptedSmtp

from actors.delivery.channels import smtp
from actors.delivery.channels.adapter import Message
from actors.delivery.channels.mail import build
from actors.delivery.channels.smtp import SmtpAdapter
from engine.errors import Refused, UsageError

MAIL = Message(
    send_id="5eed",
    channel="email",
    address="ada@example.com",
    subject="Hello",
    html="<p>Hello</p>",
    text="Hello\n",
    at_ms=1_772_366_400_000,
    idempotency_key="5eed",
    deadline_s=10,
    unsubscribe_url="https://shop.example/u/" + "t" * 800,
)
SENDER = "Alba & Birka <hello@shop.example>"
WORD = re.compile(rb"=\?[^?\s]+\?[bBqQ]\?[^?\s]*\?=")
NAMES = ["From", "To", "Subject", "Date", "Message-ID", "List-Unsubscribe", "List-Unsubscribe-Post"]


def made(sender=SENDER, **changes) -> bytes:
    return build(dataclasses.replace(MAIL, **changes), sender)


def read(content: bytes):
    """As a modern client reads it, and as an old one reads its subject: they must agree."""
    mail = email.message_from_bytes(content, policy=email.policy.default)
    old = email.message_from_bytes(content)
    assert str(make_header(decode_header(old["Subject"].replace("\r\n", "")))) == mail["Subject"]
    return mail


def check(content: bytes, names=NAMES) -> list[bytes]:
    """Its head's lines, after the laws that hold for every mail."""
    assert b"\n" not in content.replace(b"\r\n", b"") and b"\r" not in content.replace(b"\r\n", b"")
    assert all(len(line) <= 998 for line in content.split(b"\r\n"))
    head = content.partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert all(len(word) <= 75 for line in head for word in WORD.findall(line))
    assert all(line.strip() for line in head)
    found = [line.partition(b":")[0].decode() for line in head if not line[:1].isspace()]
    assert found == [*names, "MIME-Version", "Content-Type"], found
    return head


@pytest.mark.parametrize(
    "subject",
    [
        "🎉" * 40,
        "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich, und das schon seit heute früh um fünf Uhr",
        "e\u0301" * 80,
        "👨‍👩‍👧‍👦" * 20,
        "שלום עולם " * 12,
        "a" * 250,
        "https://shop.example/" + "x" * 200,
        "word " * 49 + "end",
        "=?utf-8?q?no_word?= of ours",
        "two  blanks",
        "",
        "a?=b=?c",
        "x" * 68 + " y",
    ],
)
def test_a_subject_is_read_as_it_was_meant_from_short_lines(subject):
    head = check(made(subject=subject))
    assert read(made(subject=subject))["Subject"] == subject
    first = next(n for n, line in enumerate(head) if line.startswith(b"Subject:"))
    last = next(n for n, line in enumerate(head) if line.startswith(b"Date:"))
    assert all(len(line) <= 78 for line in head[first:last])


TEXTS = st.text(
    st.sampled_from('aB 9é漢🎉\u0301\u200d\u05d0=?_"(),;<>@\\.\u00a0\u202e') | st.characters(), max_size=120
)


@given(TEXTS)
def test_whatever_the_subject_it_is_the_same_afterwards_or_refused(subject):
    try:
        content = made(subject=subject)
    except Refused:
        assert any(char in "\r\n\0" or not char.isprintable() for char in subject)
        return
    check(content)
    assert read(content)["Subject"] == subject


@given(TEXTS.filter(lambda name: name.isprintable()))
def test_whatever_the_name_of_the_sender_it_is_the_same_afterwards_and_the_address_too(name):
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    content = made(sender=f'"{quoted}" <hello@straße.de>')
    check(content)
    # Python's newer parser puts a blank between two encoded words of a name; RFC 2047 (6.2) has none there.
    shown, address = parseaddr(email.message_from_bytes(content)["From"].replace("\r\n", ""))
    assert (str(make_header(decode_header(shown))), address) == (name.strip(), "hello@xn--strae-oqa.de")


def test_a_long_name_stands_in_short_lines():
    for name in ("Größe " * 30, "Alba and Birka, " * 10):
        head = check(made(sender=f'"{name.strip()}" <hello@shop.example>'))
        assert all(len(line) <= 78 for line in head[: head.index(b"To: ada@example.com")])


def test_long_links_and_addresses_are_never_broken():
    address = "a" * 64 + "@" + ".".join(["b" * 60] * 3) + ".de"
    head = check(made(address=address, send_id="s" * 200))
    assert f"List-Unsubscribe: <{MAIL.unsubscribe_url}>".encode() in head
    assert b"Message-ID: <" + b"s" * 200 + b"@shop.example>" in head
    mail = read(made(address=address))
    assert mail["To"] == address and mail["List-Unsubscribe"] == f"<{MAIL.unsubscribe_url}>"


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_header_gets_another_one_in(subject, value):
    try:
        content = made(subject=f"{subject}\r\nBcc: eve@example.com", headers={"X-Note": value})
    except Refused:
        content = None
    assert content is None
    try:
        content = made(headers={"X-Note": value})
    except Refused:
        return
    check(content, [*NAMES, "X-Note"])


@pytest.mark.parametrize("html", ["<p>" + "x" * 5_000 + "</p>", "<p>" + "ü" * 5_000 + "</p>", "<p>\r.\rx</p>\n.\n"])
def test_a_body_of_long_lines_arrives_whole(html):
    content = made(html=html, text=html)
    check(content)
    bodies = [part.get_content() for part in read(content).iter_parts()]
    assert [re.sub(r"\s", "", body) for body in bodies] == [re.sub(r"\s", "", html)] * 2


def test_a_retry_is_the_same_mail_to_whoever_has_seen_it():
    first, again = read(made()), read(made(at_ms=MAIL.at_ms + 3_600_000))
    assert first["Message-ID"] == again["Message-ID"] == "<5eed@shop.example>"
    assert (first["Date"], again["Date"]) == ("Sun, 01 Mar 2026 12:00:00 +0000", "Sun, 01 Mar 2026 13:00:00 +0000")


# -- the name that we greet with


def greeting(monkeypatch, machine: str, **settings) -> str:
    """What the server hears first."""
    monkeypatch.setattr(socket, "getfqdn", lambda: machine)

    async def story():
        async with ScriptedSmtp({}).open() as server:
            adapter = SmtpAdapter({"port": server.port, "sender": SENDER} | settings, {})
            await adapter.send(MAIL)
            await adapter.close()
            return server.greeted

    (name,) = asyncio.run(asyncio.wait_for(story(), 20))
    return name


@pytest.mark.parametrize(
    ("machine", "settings", "name"),
    [
        ("mx1.shop.example", {}, "mx1.shop.example"),
        ("laptop", {}, "shop.example"),
        ("localhost.localdomain", {}, "shop.example"),
        ("1.0.0.127.in-addr.arpa", {}, "shop.example"),
        ("my_machine.lan", {}, "shop.example"),
        ("10.0.0.1", {}, "shop.example"),
        ("fe80::1", {}, "shop.example"),
        ("laptop", {"sender": "hallo@straße.de"}, "xn--strae-oqa.de"),
        ("mx1.shop.example", {"helo": "out.shop.example"}, "out.shop.example"),
        ("mx1.shop.example", {"helo": "außen.example"}, "xn--auen-wna.example"),
        ("mx1.shop.example", {"helo": "[192.0.2.1]"}, "[192.0.2.1]"),
    ],
)
def test_we_greet_with_a_full_name(monkeypatch, machine, settings, name):
    assert greeting(monkeypatch, machine, **settings) == name


@pytest.mark.parametrize(
    "helo", ["two words", "a\r\nMAIL FROM:<x@y.z>", "-", "a_b.example", "[not an address]", "☃", "x" * 300]
)
def test_a_greeting_that_no_server_takes_is_said_at_once(helo):
    with pytest.raises(UsageError, match="helo"):
        SmtpAdapter({"sender": SENDER, "helo": helo}, {})


def test_the_greeting_may_come_from_the_environment():
    assert smtp.SmtpAdapter({"helo_env": "H"}, {"H": "out.shop.example"})._helo == "out.shop.example"


@pytest.mark.parametrize(
    "sender", ["ädä@shop.example", '"a\r\nBcc: x" <a@b.de>', "a@b.de, c@d.de", "Alba, Birka <a@b.de>"]
)
def test_a_sender_that_cannot_stand_in_every_mail_is_said_at_once(sender):
    with pytest.raises(UsageError, match="sender"):
        SmtpAdapter({"sender": sender}, {})
