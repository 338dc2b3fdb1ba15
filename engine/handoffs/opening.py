"""A click on a signed link: the device that opens it first is the recipient's (`docs/transitions.md#signed-links`).

    device's profile ──OpenLink──► recipient    joins the visitor, if nobody has opened the link before
    device's profile ◄─LinkRefused─ recipient   or says why not; then both stay who they are

The first device uses the link up, whoever holds it. A person who is known by an identifier of their own is joined to
nobody who has one too, and to a guest only where both have one verified address. A guest is joined only to somebody
whose verified addresses are all of theirs: whoever knows an address can tell that its guest has followed a link of
their own, and a forwarded message hands nothing over.
"""

from __future__ import annotations

from typing import Final

from engine import seeds
from engine.catalog.compiled import Catalog
from engine.contact import addresses
from engine.handoffs import links
from engine.handoffs.links import SignedLink
from engine.identity import claims, home
from engine.inputs import Decide, Event, LinkRefused, OpenLink
from engine.profile import Profile
from engine.turn_state import Turn

_OPENED_MAX: Final = 200  # of the newest links; they are good for a day, and nobody gets so many messages in one
_DEVICE: Final = ("anonymous_id", "device_id")


def follow(turn: Turn, told: Event | Decide) -> SignedLink | None:
    """Take the link that led here, once; None where it does not count, which is noted."""
    profile, link = turn.profile, links.read(turn.catalog, told.link)
    if link is None:
        _refuse(turn, "link.unreadable")
        return None
    if link.send in profile.opened:
        return None
    device = _device(turn, told)
    _remember(profile, link.send, device)
    if link.expires_s * 1000 <= turn.now_ms:
        _refuse(turn, "link.expired", link.send)
        return None
    if is_own(profile, link.profile):
        _note_opened(turn, link.send)
        return link
    if isinstance(told, Decide) and not profile.identifiers:
        claims.introduce(turn, told)  # an answer may come back, so this visitor is kept
    asked = OpenLink(
        to=profile.id,
        send=link.send,
        recipient=link.profile,
        device=device,
        is_person=_is_person(turn.catalog, profile),
        addresses=_addresses(turn, verified=False),
        proved=_addresses(turn, verified=True),
        source=told.source,
    )
    turn.tell(link.profile, asked)
    return link


def is_own(profile: Profile, other: str) -> bool:
    """Whether an id is this profile's own, or that of one that was merged into it. Somebody who came to the place of an
    erased person has another id."""
    return other == profile.id or any(past.origin == other and not past.undone_ms for past in profile.ledger)


def open_link(turn: Turn, asked: OpenLink) -> None:
    """Another profile came by a link of a message to this one: join it, or say why not."""
    profile, device = turn.profile, turn.profile.opened.get(asked.send)
    if asked.to in (profile.id, *profile.held):
        return
    if profile.is_blank or not is_own(profile, asked.recipient):  # the recipient was erased; this is nobody, or new
        turn.tell(asked.to, LinkRefused(send=asked.send, reason="link.nobody"))
        return
    if device is not None and device != asked.device:
        turn.tell(asked.to, LinkRefused(send=asked.send, reason="link.opened"))
        _note_second_device(turn, asked.send)
        return
    _remember(profile, asked.send, asked.device)
    if not _may_join(turn, asked):
        turn.tell(asked.to, LinkRefused(send=asked.send, reason="link.other_person"))
        _refuse(turn, "link.other_person", asked.send)
        return
    _note_opened(turn, asked.send)
    claims.join_by_link(turn, asked.to, asked.source)


def refuse(turn: Turn, told: LinkRefused) -> None:
    """The recipient's profile does not take this one in: it came by no link."""
    touch = turn.profile.touch
    if touch is not None and touch.asks:
        touch.asks = False
        if touch.by == "link":
            touch.was, touch.was_ms, touch.by = "", 0, ""
    _refuse(turn, told.reason, told.send)


def _device(turn: Turn, told: Event | Decide) -> str:
    """The place of the device's own identifier; this profile's where it has none."""
    for namespace, value in sorted(home.named(told)):
        if namespace in _DEVICE:
            return seeds.profile_id(turn.catalog.id_key, namespace, value)
    return turn.profile.id


def _is_person(catalog: Catalog, profile: Profile) -> bool:
    known = catalog.identity.namespaces
    return any(link.namespace in known and known[link.namespace].kind == "person" for link in profile.identifiers)


def _addresses(turn: Turn, *, verified: bool) -> tuple[str, ...]:
    """The places of this person's addresses; with `verified` of those alone that nobody can have made up."""
    links = (link for link in turn.profile.identifiers if link.namespace in addresses.NAMESPACES)
    return tuple(addresses.place(turn.catalog, link) for link in links if link.verified or not verified)


def _may_join(turn: Turn, asked: OpenLink) -> bool:
    """A person is joined to a guest alone who has the same verified address; a guest to whoever has all of theirs."""
    mine = set(_addresses(turn, verified=True))
    if asked.is_person:
        return not _is_person(turn.catalog, turn.profile) and not mine.isdisjoint(asked.proved)
    return mine.issuperset(asked.addresses)


def _remember(profile: Profile, send: str, device: str) -> None:
    profile.opened[send] = device
    while len(profile.opened) > _OPENED_MAX:
        del profile.opened[next(iter(profile.opened))]


def _note_opened(turn: Turn, send: str) -> None:
    turn.note("identity", "signed link opened", outcome="opened", detail={"send": send})


def _note_second_device(turn: Turn, send: str) -> None:
    """Note once for each link that others came by it: a link on a public page would fill the timeline."""
    if _refused(send) not in turn.profile.opened:
        _remember(turn.profile, _refused(send), "")
        _refuse(turn, "link.opened", send)


def _refused(send: str) -> str:
    return f"{send} refused"


def _refuse(turn: Turn, reason: str, send: str = "") -> None:
    detail = {"send": send} if send else {}
    turn.note("identity", "signed link not taken", outcome="refused", reason=reason, detail=detail)
