"""A click in a real mail opens the app with the cart, once, and the report says how fast that was."""

from __future__ import annotations

import re
from email.message import EmailMessage

from support.running import Engine, MailServer, eventually


def test_a_click_in_the_mail_opens_the_app_with_the_cart(shop: Engine, mailbox: MailServer):
    known = {"email": "clicker@shop.example"}
    shop.bring([{"type": "identify", "userId": "clicker", "traits": known}])  # a server key: the address is verified
    shop.track("Product Added", {"product_id": "boots"}, userId="clicker")
    shop.track("Letter Wanted", {"number": 1}, userId="clicker")
    url = _link(eventually(lambda: mailbox.to("clicker@shop.example"))[0])
    assert re.fullmatch(r"https://shop\.example/cart\?utm_source=mail&sg=[A-Za-z0-9_-]+#top", url)

    _opens(shop, "clickers phone", url)
    home = shop.profile("user_id", "clicker")["profileId"]
    eventually(lambda: shop.profile("anonymous_id", "clickers phone")["profileId"] == home)
    entry = eventually(lambda: [row for row in shop.timeline("user_id", "clicker") if row["kind"] == "transition"])[0]
    assert entry["detail"]["carried"]["cart"] == 1
    assert (entry["detail"]["from"], entry["detail"]["into"], entry["detail"]["by"]) == ("email", "app", "link")

    _opens(shop, "friends phone", url)
    rows = eventually(lambda: [row for row in shop.timeline("anonymous_id", "friends phone") if "reason" in row])
    assert [row["reason"] for row in rows] == ["link.opened"]
    assert shop.profile("anonymous_id", "friends phone")["profileId"] != home
    table = shop.read("/v1/transitions")["transitions"]
    row = next(row for row in table if (row["from"], row["into"], row["by"]) == ("email", "app", "link"))
    assert row["count"] == 1 and row["readyMs"]["p50"] < row["tookMs"]["p50"] + 60_000


def _opens(shop: Engine, phone: str, url: str) -> None:
    told = {"type": "track", "event": "Application Opened", "anonymousId": phone}
    shop.batch([{**told, "context": {"channel": "app", "page": {"url": url}}}])


def _link(mail: EmailMessage) -> str:
    body = mail.get_body(("html",))
    assert body is not None
    found = re.search(r"href='(https://shop\.example/cart[^']*)'", body.get_content())
    assert found is not None
    return found[1].replace("&amp;", "&")
