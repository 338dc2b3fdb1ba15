"""The message that a dispatcher gets for a send: where it goes, and all that a template may say."""

from __future__ import annotations

from typing import Any

from engine import seeds
from engine.contact import addresses
from engine.decide import draws
from engine.handoffs import links
from engine.parts.of_identity import Link
from engine.profile import Send
from engine.recent_events import encoder
from engine.sends import foreign_words
from engine.texts.language import with_mentioned
from engine.turn_state import Turn


def of(turn: Turn, send: Send, link: Link | None) -> dict[str, Any]:
    """All that the dispatcher needs to render and hand over, without asking again. `link` is the e-mail address or
    telephone that it goes to, None where its channel needs another kind of address, or none."""
    is_current = turn.catalog.actions[send.action].texts == "current"
    catalog = turn.catalog if is_current else turn.catalog.of_version(send.version)
    action, channel = catalog.actions[send.action], turn.catalog.channels[send.channel]
    same = (variant for variant in action.variants if variant.id == send.variant)
    variant = next(same, None) or draws.variant_of(turn, action)  # the active catalog may not have the decided one
    content = dict(variant.content.get(send.channel, {}))
    if catalog.version != turn.catalog.version and "template" in content:  # the dispatcher has the active catalog only
        named = (content[part] for part in ("template", "text") if part in content)
        content["templates"] = with_mentioned(catalog.templates, named)
    place = addresses.place(turn.catalog, link) if link is not None else ""
    if link is None and channel.address:
        link = addresses.current(turn.profile, channel.address)
    opt_out = encoder.encode([turn.profile.id, send.purpose, send.channel, send.id, place])
    return {
        "send": send.id,
        "channel": send.channel,
        "version": catalog.version,
        "address": link.value if link is not None else "",
        "content": content,
        **_facts(turn, send, link),
        "action": dict(action.facts),
        "currency": catalog.currency,
        "timezone": turn.profile.timezone or catalog.zone,
        "opt_out": seeds.sign(turn.catalog.id_key, "opt-out", opt_out),
        "confirm": seeds.sign(turn.catalog.id_key, "confirm", encoder.encode([turn.profile.id, place, turn.now_ms]))
        if place
        else "",
        "link": links.of_message(turn.catalog, turn.profile.id, send, link, turn.now_ms),
        "at_ms": turn.now_ms,
    }


def _facts(turn: Turn, send: Send, link: Link | None) -> dict[str, Any]:
    """The facts that templates may use: of the person, and of the event that started the run. A stranger's words are
    made harmless in service messages, which need no consent, and in messages to an unverified address."""
    profile, language = turn.profile, turn.profile.locale or turn.catalog.language
    is_unverified = link is not None and not link.verified and link.namespace in addresses.NAMESPACES
    if send.tier != "service" and not is_unverified:
        return {"traits": profile.trait_values, "event": send.trigger, "language": language}
    traits = {
        name: foreign_words.cut(trait.value) if trait.public else trait.value for name, trait in profile.traits.items()
    }
    if link is not None and link.namespace in traits:
        traits[link.namespace] = link.value
    event = foreign_words.cut(send.trigger) if send.public else send.trigger
    return {"traits": traits, "event": event, "language": foreign_words.cut(language)}
