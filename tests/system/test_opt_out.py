"""Opt-out through the mail's own link (RFC 8058): a page for people, one click for mail clients, and then silence."""

from __future__ import annotations

from email.message import EmailMessage

import httpx
from support.running import Engine, MailServer, eventually, eventually_equal

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


def test_after_one_click_nothing_leaves_any_more(shop: Engine, mailbox: MailServer):
    link = _link(_first_mail(shop, mailbox, "leaver"))
    shop.track("Product Added", {"cart_id": "c1"}, userId="leaver")  # its reminder is due in 3 s
    answer = httpx.post(link, data=ONE_CLICK, trust_env=False)
    assert answer.status_code == 200
    shop.track("Letter Wanted", {"number": 2}, userId="leaver")
    no = ("held", "consent.marketing.email")
    eventually_equal(lambda: sorted(shop.sends("leaver")), [no, no, ("sent", "")])
    assert len(mailbox.to("leaver@shop.example")) == 1
    (standing,) = shop.profile("user_id", "leaver")["consent"]
    assert (standing["purpose"], standing["channel"], standing["granted"]) == ("marketing", "email", False)
    assert standing["source"] == "unsubscribe_link"


def test_looking_at_the_page_changes_nothing_and_its_button_does(shop: Engine, mailbox: MailServer):
    link = _link(_first_mail(shop, mailbox, "looker"))
    for _ in range(3):
        page = httpx.get(link, trust_env=False)
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert '<form method="post">' in page.text and "no-store" in page.headers["cache-control"]
    assert shop.profile("user_id", "looker")["consent"] == []
    shop.track("Letter Wanted", {"number": 2}, userId="looker")
    eventually(lambda: len(mailbox.to("looker@shop.example")) == 2)
    for _ in range(2):  # twice on the button is once
        assert httpx.post(link, trust_env=False).status_code == 200
    (standing,) = shop.profile("user_id", "looker")["consent"]
    assert standing["granted"] is False


def test_a_link_that_was_cut_off_or_made_up_is_a_page_too(shop: Engine, mailbox: MailServer):
    link = _link(_first_mail(shop, mailbox, "mistyper"))
    for wrong in (link[:-1], link[:-3] + "xyz", f"{shop.url}/u/abc", f"{shop.url}/u/%00", f"{shop.url}/u/a.b.c"):
        for answer in (httpx.get(wrong, trust_env=False), httpx.post(wrong, data=ONE_CLICK, trust_env=False)):
            assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8"), wrong
    assert shop.profile("user_id", "mistyper")["consent"] == []


def test_every_mail_says_how_to_get_no_more(shop: Engine, mailbox: MailServer):
    mail = _first_mail(shop, mailbox, "reader")
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["Subject"] == "For Zoë Ångström"
    assert mail["From"] == "Alba <alba@shop.example>"
    body = mail.get_body(("html",))
    assert body is not None and _link(mail) in body.get_content()


def test_a_mailbox_confirms_itself_with_the_button_behind_its_link(shop: Engine, mailbox: MailServer):
    body = _first_mail(shop, mailbox, "confirmer").get_body(("html",))
    assert body is not None
    link = body.get_content().partition(f"{shop.url}/c/")
    address = f"{shop.url}/c/" + link[2].partition("'")[0]

    def verified() -> list[bool]:
        return [link["verified"] for link in shop.profile("user_id", "confirmer")["identifiers"] if "verified" in link]

    assert "<form" in httpx.get(address, trust_env=False).text and verified() == [False]
    assert httpx.post(address, trust_env=False).status_code == 200
    assert verified() == [True]


def _first_mail(shop: Engine, mailbox: MailServer, user: str) -> EmailMessage:
    address = f"{user}@shop.example"
    shop.identify(user, email=address, name="Zoë Ångström")
    shop.track("Letter Wanted", {"number": 1}, userId=user)
    return eventually(lambda: mailbox.to(address))[0]


def _link(mail: EmailMessage) -> str:
    return str(mail["List-Unsubscribe"]).removeprefix("<").removesuffix(">")
