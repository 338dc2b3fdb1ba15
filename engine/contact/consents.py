"""The consent of a customer, by purpose and channel (Invariant 5).

A record stands for one (purpose, channel); `*` stands for all of either. One precedence holds everywhere
(`docs/consent.md`): a send needs a yes that covers its purpose and channel, or the purpose's default, and no standing
no that covers them. A no is lifted by a later yes of the same or a wider scope, and by nothing else
(`engine.consent.recording`), so every no that is on record stands.

Promotional and lifecycle messages need consent on every channel but those of the purpose's `no_consent_needed`.
"""

from __future__ import annotations

from engine import seeds
from engine.catalog.compiled import Catalog
from engine.catalog.permissions import Purpose
from engine.contact import addresses
from engine.profile import ConsentRecord, Profile

NOT_NEEDED = "not needed"
BY_DEFAULT = "default"


def basis(profile: Profile, catalog: Catalog, purpose: str, channel: str, tier: str) -> str | None:
    """The basis of the consent to messages of a tier: a receipt's id, `default` or `not needed`; None without
    consent."""
    grant = None
    for record in profile.consent:
        if record.purpose in (purpose, "*") and record.channel in (channel, "*"):
            if not record.granted:
                return None
            if not record.address or _is_reached_at(profile, catalog, channel, record.address):
                grant = record.receipt
    if grant is not None:
        return grant
    rule = catalog.purposes.get(purpose)
    if rule is None:
        return None
    if not _is_needed(rule, channel, tier):
        return NOT_NEEDED
    return BY_DEFAULT if rule.default else None


def is_granted(profile: Profile, catalog: Catalog, purpose: str, channel: str, tier: str) -> bool:
    """Whether messages of this tier may use this channel for this purpose now."""
    return basis(profile, catalog, purpose, channel, tier) is not None


def against(profile: Profile, purpose: str, channel: str) -> list[ConsentRecord]:
    """Every no on record that touches this scope; those that cover it whole come first."""
    noes = [record for record in profile.consent if not record.granted and _touches(record, purpose, channel)]
    return sorted(noes, key=lambda no: not covers(no, purpose, channel))


def has_effect(profile: Profile, record: ConsentRecord) -> bool:
    """Whether a record on file decides anything: a no always, a yes unless a no covers all of it."""
    return not record.granted or not any(
        not no.granted and covers(no, record.purpose, record.channel) for no in profile.consent
    )


def covers(record: ConsentRecord, purpose: str, channel: str) -> bool:
    """Whether a record speaks of this whole scope."""
    return record.purpose in (purpose, "*") and record.channel in (channel, "*")


def _touches(record: ConsentRecord, purpose: str, channel: str) -> bool:
    return (purpose == "*" or record.purpose in (purpose, "*")) and (channel == "*" or record.channel in (channel, "*"))


def _is_reached_at(profile: Profile, catalog: Catalog, channel: str, place: str) -> bool:
    """Whether this channel reaches the address of a place: a yes that was said by one address is for no other."""
    rule = catalog.channels.get(channel)
    link = addresses.current(profile, rule.address) if rule is not None and rule.address else None
    found = seeds.profile_id(catalog.id_key, link.namespace, link.value) if link is not None else ""
    return found[:-2] == place[:-2]  # without the epoch, which an erasure changes


def _is_needed(rule: Purpose, channel: str, tier: str) -> bool:
    return channel in rule.channels if tier == "service" else channel not in rule.free
