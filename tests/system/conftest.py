"""One small shop on the wall clock that the scenarios share: its waits are seconds, its mail goes to our own server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.running import Engine, MailServer, write_catalog

EMAIL = """
variants:
  - id: a
    email: {subject: "For {{ traits.name | default('you') }}", template: plain.html}
"""

SHOP = {
    "channels.yaml": """
channels:
  - {id: web, provider: none}
  - id: email
    provider: smtp
    address: email
    host: 127.0.0.1
    port: 1025
    port_env: SEGUE_SMTP_PORT
    sender: "Alba <alba@shop.example>"
    timeout_s: 60
""",
    "consent.yaml": """
purposes:
  marketing: {no_consent_needed: [email, web]}
  service: {channels: [], default: true}
""",
    "identity.yaml": "namespaces:\n  loyalty_id: {paths: [properties.card]}\n",
    "placements.yaml": """
placements:
  - {id: home_hero, channel: web, default: {}}
  - {id: empty_corner, channel: web, default: {}}
""",
    "policies.yaml": """
caps:
  - {id: alerts, limit: 2, per: 7d, match: {action: price_alert}}
  - {id: hero, limit: 2, per: 1d, match: {action: spring_offer}}
  - {id: news, limit: 1, per: 7d, match: {channel: email, action: news}}
stops:
  - {id: purchase, on: Order Completed, tier: promotional}
links: {hosts: [shop.example], expires: 1h}
""",
    "templates/plain.html": "<p>Hello</p><a href='{{ unsubscribe_url }}'>No more of these</a>"
    "<a href='{{ confirm_address_url }}'>My address</a><a href='https://shop.example/cart?utm_source=mail#top'>Cart</a>",
    "actions/cart_reminder.yaml": "id: cart_reminder\ntier: promotional\npurpose: marketing\nchannels: [email]" + EMAIL,
    "actions/price_alert.yaml": "id: price_alert\ntier: promotional\npurpose: marketing\nchannels: [email]" + EMAIL,
    "actions/letter.yaml": "id: letter\ntier: lifecycle\npurpose: marketing\nchannels: [email]" + EMAIL,
    "actions/news.yaml": "id: news\ntier: promotional\npurpose: marketing\nchannels: [email]" + EMAIL,
    "actions/spring_offer.yaml": """
id: spring_offer
tier: promotional
purpose: marketing
channels: [web]
placements: [home_hero]
variants:
  - id: a
    web: {content: {title: Spring}}
""",
    "journeys/abandoned_cart.yaml": """
id: abandoned_cart
tier: promotional
trigger: {event: Product Added}
key: cart_id
steps:
  - wait: {for: 3s, reset_on: [Product Added]}
  - send: {action: cart_reminder, channel: email}
""",
    "journeys/price.yaml": """
id: price
tier: promotional
trigger: {event: Price Dropped}
key: cart_id
steps:
  - send: {action: price_alert, channel: email}
""",
    "journeys/news.yaml": """
id: news
tier: promotional
trigger: {event: News Wanted}
key: number
steps:
  - send: {action: news, channel: email}
""",
    "journeys/letters.yaml": """
id: letters
tier: lifecycle
trigger: {event: Letter Wanted}
key: number
steps:
  - send: {action: letter, channel: email}
""",
}


@pytest.fixture(scope="session")
def shop_files() -> dict[str, str]:
    """The shop's catalog, for those who want to change it."""
    return dict(SHOP)


@pytest.fixture(scope="session")
def mailbox() -> Iterator[MailServer]:
    """Where the mail of `shop` arrives."""
    with MailServer().open() as opened:
        yield opened


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory, mailbox: MailServer) -> Iterator[Engine]:
    """An engine on the wall clock with three shards; scenarios use customers of their own."""
    folder = tmp_path_factory.mktemp("shop")
    engine = Engine(folder, config=write_catalog(folder / "configs", SHOP), shards=3, smtp_port=mailbox.port)
    try:
        yield engine.start()
    finally:
        engine.close()
