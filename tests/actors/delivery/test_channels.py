"""E-mail against a real SMTP server that can be made to misbehave; rendering; the sandbox."""

import asyncio
import dataclasses
import email
import email.policy
import socket

import pytest
from aiosmtpd.controller import Controller

from actors.delivery.channels.adapter import Message
from actors.delivery.channels.mail import build
from actors.delivery.channels.rendering import HTML_BYTES_MAX, Renderer, plain_text
from actors.delivery.channels.sandbox import SandboxAdapter
from actors.delivery.channels.smtp import SmtpAdapter
from actors.platform.ports import free_port
from engine.errors import Refused, Unavailable, Unknown, UsageError
from engine.values.identifiers import canonical

MESSAGE = Message(
    send_id="5eed",
    channel="email",
    address="ada@example.com",
    subject="Schöne Schuhe",
    html="<p>Hallo Ada</p>",
    text="Hallo Ada\n",
    at_ms=1_772_366_400_000,
    idempotency_key="5eed",
    deadline_s=10,
    unsubscribe_url="https://shop.example/u/" + "t" * 300,
    headers={"X-Campaign": "spring"},
)


def message(**changes):
    return dataclasses.replace(MESSAGE, **changes)


class Mailbox:
    """What the server took, and how it answers: `script` holds the answers of the next DATA commands."""

    def __init__(self):
        self.mails, self.script, self.sessions = [], [], set()

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 there is no such mailbox"
        if address.startswith("later@"):
            return "450 greylisted"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.sessions.add(session.peer)
        answer = self.script.pop(0) if self.script else "250 queued as 7"
        if answer == "die":
            server.transport.abort()
        elif answer == "stall":
            await asyncio.Event().wait()
        elif answer.startswith("250"):
            self.mails.append(envelope)
        return answer


@pytest.fixture
def mailbox():
    return Mailbox()


@pytest.fixture
def port(mailbox):
    port = free_port()
    controller = Controller(mailbox, hostname="127.0.0.1", port=port)
    controller.start()
    yield port
    controller.stop(no_assert=True)


def deliver(port, *messages):
    """The reference or the error for each, over one adapter."""

    async def story():
        adapter = SmtpAdapter({"host": "127.0.0.1", "port": port, "sender": "Alba & Birka <hello@shop.example>"}, {})
        outcomes = []
        for one in messages:
            try:
                outcomes.append(await adapter.send(one))
            except (Refused, Unavailable, Unknown) as error:
                outcomes.append(error)
        await adapter.close()
        return outcomes

    return asyncio.run(asyncio.wait_for(story(), 10))


def test_a_mail_arrives_as_it_was_meant(port, mailbox):
    assert deliver(port, MESSAGE) == ["queued as 7"]
    (envelope,) = mailbox.mails
    mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
    assert (envelope.mail_from, envelope.rcpt_tos) == ("hello@shop.example", ["ada@example.com"])
    assert {name: mail[name] for name in ("From", "To", "Subject", "Message-ID", "Date", "X-Campaign")} == {
        "From": "Alba & Birka <hello@shop.example>",
        "To": "ada@example.com",
        "Subject": "Schöne Schuhe",
        "Message-ID": "<5eed@shop.example>",
        "Date": "Sun, 01 Mar 2026 12:00:00 +0000",
        "X-Campaign": "spring",
    }
    # Mail clients look for the very bytes of RFC 2369 and RFC 8058, on one line.
    assert f"\r\nList-Unsubscribe: <{MESSAGE.unsubscribe_url}>\r\n".encode() in envelope.content
    assert b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in envelope.content
    parts = [(part.get_content_type(), part.get_content().strip()) for part in mail.iter_parts()]
    assert parts == [("text/plain", "Hallo Ada"), ("text/html", "<p>Hallo Ada</p>")]


def test_one_connection_serves_many_mails_also_after_a_no(port, mailbox):
    mailbox.script = ["250 a", "451 later", "550 never", "250 b"]
    outcomes = deliver(port, *[MESSAGE] * 4)
    assert [type(outcome) for outcome in outcomes] == [str, Unavailable, Refused, str]
    assert (len(mailbox.mails), len(mailbox.sessions)) == (2, 1)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("nobody@example.com", Refused),
        ("later@example.com", Unavailable),
        ("ada@exämple.com", str),
        ("ädä@exämple.com", str),
        ("ada", Refused),
        ("a@b.de,c@d.de", Refused),
        ("a@b.de\r\nRCPT TO:<eve@example.com>", Refused),
        ("Ada <a@b.de>", Refused),
        ("@b.de", Refused),
        ("a@" + "b" * 70 + ".de", Refused),
    ],
)
def test_an_address_that_is_refused_harms_no_other(port, mailbox, address, expected):
    bad, good = deliver(port, message(address=address), MESSAGE)
    assert isinstance(bad, expected) and good == "queued as 7"
    assert len(mailbox.mails) == (2 if expected is str else 1)
    assert "eve" not in repr(mailbox.mails)


@pytest.mark.parametrize(
    ("address", "named"),
    [
        ("cleo@straße.de", "cleo@xn--strae-oqa.de"),
        ("cleo@xn--strae-oqa.de", "cleo@xn--strae-oqa.de"),
        ("ada@βόλος.gr", "ada@xn--nxasmm1c.gr"),
        ("жук@straße.de", "жук@xn--strae-oqa.de"),
    ],
)
def test_the_envelope_and_the_header_name_the_domain_that_the_door_keeps(port, mailbox, address, named):
    assert deliver(port, message(address=canonical("email", address))) == ["queued as 7"]
    (envelope,) = mailbox.mails
    mail = email.message_from_bytes(envelope.content, policy=email.policy.SMTPUTF8)
    assert envelope.rcpt_tos == [named] and mail["To"] == named


def test_the_senders_own_domain_is_named_so_too(port, mailbox):
    async def story():
        adapter = SmtpAdapter({"host": "127.0.0.1", "port": port, "sender": "Füße <hallo@straße.de>"}, {})
        await adapter.send(MESSAGE)
        await adapter.close()

    asyncio.run(asyncio.wait_for(story(), 10))
    (envelope,) = mailbox.mails
    mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
    assert envelope.mail_from == "hallo@xn--strae-oqa.de" and mail["From"] == "Füße <hallo@xn--strae-oqa.de>"


def test_a_mail_server_is_looked_for_under_its_own_name():
    adapter = SmtpAdapter({"host": "mail.straße.de", "sender": "a@b.de"}, {})
    assert adapter._connect_with["hostname"] == "mail.xn--strae-oqa.de"
    with pytest.raises(UsageError, match="name of the SMTP server"):
        SmtpAdapter({"host": "mail.☃.de", "sender": "a@b.de"}, {})


def test_nobody_listens():
    (outcome,) = deliver(free_port(), MESSAGE)
    assert isinstance(outcome, Unavailable)


@pytest.mark.parametrize("answer", ["die", "stall", "999 gibberish"])
def test_silence_after_data_is_unknown_and_the_next_mail_goes_over_a_new_connection(port, mailbox, answer):
    mailbox.script = [answer]
    doubt, good = deliver(port, message(deadline_s=0.3 if answer == "stall" else 10), MESSAGE)
    assert isinstance(doubt, Unknown) and good == "queued as 7"
    assert len(mailbox.mails) == 1


def test_a_kept_connection_that_died_of_old_age_is_replaced(port, mailbox):
    async def story():
        adapter = SmtpAdapter({"port": port}, {})
        await adapter.send(MESSAGE)
        adapter._client.transport.get_extra_info("socket").shutdown(socket.SHUT_WR)
        await adapter.send(MESSAGE)
        await adapter.close()
        await adapter.send(MESSAGE)
        await adapter.close()

    asyncio.run(asyncio.wait_for(story(), 10))
    assert len(mailbox.mails) == 3


def test_a_server_that_never_greets_took_nothing():
    async def story():
        server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
        adapter = SmtpAdapter({"port": server.sockets[0].getsockname()[1]}, {})
        first = asyncio.create_task(adapter.send(message(deadline_s=0.3)))
        with pytest.raises(Unavailable):  # waits its whole time for the first
            await adapter.send(message(deadline_s=0.2))
        with pytest.raises(Unavailable):
            await first
        server.close()

    asyncio.run(asyncio.wait_for(story(), 10))


def test_many_senders_share_the_connection_in_turn(port, mailbox):
    async def story():
        adapter = SmtpAdapter({"port": port}, {})
        await asyncio.gather(*(adapter.send(message(send_id=f"s{n}")) for n in range(20)))
        await adapter.close()

    asyncio.run(asyncio.wait_for(story(), 10))
    assert (len(mailbox.mails), len(mailbox.sessions)) == (20, 1)


def test_the_environment_wins_over_the_settings(port, mailbox):
    settings = {
        "host": "192.0.2.1",
        "port": 9,
        "host_env": "H",
        "port_env": "P",
        "username_env": "U",
        "password_env": "W",
    }
    environ = {"H": "127.0.0.1", "P": str(port), "U": "ada", "W": "secret"}
    with pytest.raises(Unavailable):  # this server offers no login
        asyncio.run(SmtpAdapter(settings, environ).send(MESSAGE))
    asyncio.run(SmtpAdapter(settings, environ | {"U": ""}).send(MESSAGE))
    assert len(mailbox.mails) == 1


@pytest.mark.parametrize("settings", [{"sender": "nobody"}, {"port": 70_000}, {"port": "smtp"}])
def test_settings_that_cannot_work_are_said_at_once(settings):
    with pytest.raises(UsageError):
        SmtpAdapter(settings, {})


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "Hi\r\nBcc: eve@example.com"},
        {"headers": {"X-Name": "x\nBcc: eve@example.com"}},
        {"headers": {"X-Name: x\r\nBcc": "eve@example.com"}},
        {"headers": {"Bcc": "eve@example.com"}},
        {"headers": {"content-type": "text/evil"}},
        {"unsubscribe_url": "https://shop.example/u/t>, <mailto:eve@example.com"},
        {"unsubscribe_url": "javascript:alert(1)"},
        {"send_id": "a>\r\nBcc: eve@example.com"},
        {"text": "half an emoji \ud83d"},
    ],
)
def test_nothing_gets_into_the_headers_that_does_not_belong_there(changes):
    with pytest.raises(Refused):
        build(message(**changes), "hello@shop.example")


def test_a_template_is_rendered_escaped_and_made_into_text():
    source = """<html><head><title>T</title><style>p {}</style></head><body><h1>Hello {{ traits.name }},</h1>
      <p>it is <b>still</b>
      there.</p><ul><li>One</li><li>Two</li></ul><a href="{{ url }}">Buy</a></body></html>"""
    values = {"traits": {"name": "<Ada & Co>"}, "url": "https://shop.example/?a=1&b=2"}
    rendered = Renderer({"offer.html": source}).render("offer.html", "{{ traits.name }}:\n\x07 news", values)
    assert rendered.subject == "<Ada & Co>: news"
    assert "Hello &lt;Ada &amp; Co&gt;," in rendered.html
    assert rendered.text == (
        "Hello <Ada & Co>,\n\nit is still there.\n\n- One\n\n- Two\n\nBuy (https://shop.example/?a=1&b=2)\n"
    )


def test_an_e_mail_may_have_a_plain_text_of_its_own_which_is_not_escaped():
    renderer = Renderer(
        {"a.html": "<b>{{ name }}</b>", "a.txt": "Dear {{ name }}\n{% include 'foot.txt' %}", "foot.txt": "Bye"}
    )
    rendered = renderer.render("a.html", "x", {"name": "<Ada & Co>"}, "a.txt")
    assert (rendered.html, rendered.text) == ("<b>&lt;Ada &amp; Co&gt;</b>", "Dear <Ada & Co>\nBye")


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("missing.html", "there is no"),
        ("broken.html", "line 1"),
        ("secret.html", "fails with TypeError"),
        ("endless.html", "more than"),
        ("escape.html", "fails with SecurityError"),
    ],
)
def test_a_template_that_fails_is_refused_with_its_name_and_without_a_value(template, reason):
    templates = {
        "broken.html": "{% if %}",
        "secret.html": "{{ name() }}",
        "endless.html": "{% for i in range(90000) %}{{ name }}{% endfor %}",
        "escape.html": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    }
    renderer = Renderer(templates)
    for _ in range(2):
        with pytest.raises(Refused, match=f"^template {template}: .*{reason}") as caught:
            renderer.render(template, "x", {"name": "ada@example.com"})
        assert "ada@example.com" not in str(caught.value)


def test_a_subject_and_a_body_have_their_bounds():
    renderer = Renderer({"a.html": "{{ text }}"})
    assert len(renderer.render("a.html", "{{ text }}", {"text": "ab " * 1000}).subject) == 250
    assert renderer.render("a.html", "x", {"text": "a" * HTML_BYTES_MAX}).html
    with pytest.raises(Refused, match=r"^template a\.html: "):
        renderer.render("a.html", "x", {"text": "ä" * (HTML_BYTES_MAX // 2 + 1)})
    with pytest.raises(Refused, match=r"^template a\.html: "):
        renderer.render("a.html", "{{ 1 | nosuch }}", {})


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<html><head><title>x</title><body><p>Hello", "Hello\n"),
        ("<html><head><title>x</title><p>Hello", "Hello\n"),
        ("<head><style>p {}</style><meta charset=utf-8></head><h1>Hello</h1>", "Hello\n"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><th>c<th>d</table>", "a b\n\nc d\n"),
    ],
)
def test_words_are_found_and_kept_apart_where_tags_are_left_out(html: str, text: str):
    assert plain_text(html) == text


@pytest.mark.parametrize("html", ["", "plain", "<p", "</a></style>&amp;&#0;&nosuch;", "<style><p>x", "<" * 10_000])
def test_any_html_has_a_text(html):
    assert plain_text(html).endswith("\n")


def test_the_sandbox_counts_and_can_be_told_to_fail():
    async def story():
        sandbox = SandboxAdapter()
        assert await sandbox.send(MESSAGE) == "sandbox:5eed"
        sandbox.fails_with = Unavailable("a rehearsal")
        with pytest.raises(Unavailable, match="a rehearsal"):
            await sandbox.send(MESSAGE)
        sandbox.fails_with = None
        await sandbox.send(MESSAGE)
        await sandbox.close()
        assert sandbox.counts == {"simulated": 2, "unavailable": 1}

    asyncio.run(story())
