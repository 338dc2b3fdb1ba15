"""A small catalog as a marketer writes it, without a mistake, and the problems of one with mistakes."""

from __future__ import annotations

from actors.catalog_proof import proof
from engine.errors import CatalogError

FILES = {
    "channels.yaml": """\
channels:
  - {id: web, provider: none}
  - id: email
    provider: smtp
    address: email
    host: 127.0.0.1
    sender: "Alba <hello@shop.example>"
  - {id: sms, provider: sandbox, address: phone}
""",
    "consent.yaml": """\
purposes:
  marketing: {channels: [email, sms], no_consent_needed: [web]}
""",
    "placements.yaml": """\
placements:
  - {id: home_hero, channel: web}
""",
    "policies.yaml": """\
workspace: {zone: Europe/Berlin}
caps:
  - {id: weekly, limit: 2, per: 7d, match: {channel: email}}
stops:
  - {id: purchase, on: Order Completed, tier: promotional}
""",
    "segments.yaml": """\
segments:
  staff: {trait: {name: staff, is: true}}
""",
    "actions/offer.yaml": """\
id: offer
tier: promotional
purpose: marketing
channels: [email, web]
placements: [home_hero]
valid: {from: 2026-03-01, until: 2026-04-30}
eligible:
  all:
    - trait: {name: country, in: [DE, AT]}
    - event: {name: Product Viewed, within: 7d, where: {category: shoes}}
    - not: {segment: staff}
variants:
  - id: a
    email: {subject: "For {{ traits.first_name }}", template: offer.html}
    web: {content: {title: Shoes, link: /shoes}}
""",
    "actions/text.yaml": """\
id: text
tier: promotional
purpose: marketing
channels: [sms]
variants:
  - id: a
    sms: {text: "Your cart waits"}
""",
    "journeys/cart.yaml": """\
id: cart
tier: promotional
trigger: {event: Product Added}
key: cart_id
stops:
  - {id: emptied, on: Cart Cleared}
steps:
  - wait: {for: 1h, reset_on: [Product Added]}
  - send: {action: offer, channel: email}
  - wait_for: {event: Email Clicked, timeout: 2d, on_event: exit}
  - send: {action: text, channel: sms}
""",
    "templates/offer.html": """\
<p>Dear {{ traits.first_name }},</p>
<p>{{ event.name }} for {{ event.price | money }}</p>
<a href="{{ unsubscribe_url }}">No more</a>
""",
}
OFFER, TEXT, CART, POLICIES, CHANNELS = (
    "actions/offer.yaml",
    "actions/text.yaml",
    "journeys/cart.yaml",
    "policies.yaml",
    "channels.yaml",
)
CONSENT, SEGMENTS, TEMPLATE, PLAN = "consent.yaml", "segments.yaml", "templates/offer.html", "tracking_plan.yaml"
PLANNED = """\
unknown: quarantine
events:
  Product Added: {schema: {properties: {cart_id: {type: string}, price: {type: number}}}}
  Product Viewed: {}
  Order Completed: {}
  Email Clicked: {}
"""


def said(files: dict[str, str]) -> list[str]:
    """The problems of a catalog; where it has none, its warnings, each after the word `warning: `."""
    try:
        return [f"warning: {line}" for line in proof.of_texts(files, {}).warnings]
    except CatalogError as error:
        return list(error.problems)
