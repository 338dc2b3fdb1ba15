"""Doubts about consent: messages to people who may never have agreed to them."""

from __future__ import annotations

from collections.abc import Iterator

from engine.catalog.document import Document, by_id
from engine.catalog.models import Models, of_kind
from engine.catalog.problems import Problem
from engine.catalog.schema.files import Action, Consent


def consent_doubts(document: Document, models: Models) -> Iterator[Problem]:
    """Promotional and lifecycle messages for a purpose that is granted by default, so nobody was asked. Channels under
    `no_consent_needed` are not doubted, because there the file says so outright; nor are those that are only asked what
    to show, because they write to nobody."""
    purposes = {name: purpose for _, consent in of_kind(models, Consent) for name, purpose in consent.purposes.items()}
    channels = by_id(document, "channels.yaml", "channels")
    for file, action in of_kind(models, Action):
        purpose = purposes.get(action.purpose)
        if action.tier == "service" or purpose is None or not purpose.default:
            continue
        sent = [name for name in action.channels if channels.get(name, {}).get("provider") != "none"]
        unasked = [name for name in sent if name not in purpose.no_consent_needed]
        if unasked:
            message = (
                f"{action.purpose} is granted by default (consent.yaml), so this {action.tier} message goes on "
                f"{unasked[0]} to people who never agreed: use a purpose without default: true"
            )
            yield Problem(file, ("purpose",), message)
