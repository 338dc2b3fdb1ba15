"""What profiles tell one another about being one person (`engine.merging.transfer` has the whole way).

They are inputs like all others, and `engine.inputs` has them all.
"""

from __future__ import annotations

from engine.parts.of_identity import Evidence
from engine.profile import ConsentRecord, Lent
from engine.told.base import Input


class Merge(Input, frozen=True, kw_only=True, omit_defaults=True, tag="absorb"):
    """A message to a profile: `to` and you are one person, because of `evidence`. It travels to whoever lives at the
    place `asked`; that one refuses, hands over to `to`, or, where it is the one that stays, asks back with `answers`.

    Of `to` it says: its `rank` in the order in which profiles stay; its `values` of identifiers that are limited
    ((namespace, place, first seen)); the places of its `contacts`; whether it is `known`, and by an identifier of one
    person's own (`is_person`); and `beside` each identifier of the evidence which others were named ((place, namespace,
    other place)). `merges` and `links` are what the source may do. `sharers` is how many others have the identifier and
    could not be merged; `is_shared`: it joins nobody. `in_spite_of` are reasons that somebody has decided to overrule.
    `is_new`: the profile that asks was created in the turn that asks. `returned`: it met an erased profile, and tries
    its place again. `merged` is as in `Claim`.
    """

    to: str
    public: bool = False
    is_new: bool = False
    asked: str = ""
    answers: str = ""
    evidence: Evidence | None = None
    rank: tuple[int, int, str] | None = None
    values: tuple[tuple[str, str, int], ...] = ()
    contacts: tuple[str, ...] = ()
    known: bool = False
    is_person: bool = False
    links: bool = True
    merges: bool = True
    sharers: int = 0
    beside: tuple[tuple[str, str, str], ...] = ()
    is_shared: bool = False
    in_spite_of: tuple[str, ...] = ()
    returned: bool = False
    merged: tuple[str, ...] = ()


class Declined(Input, frozen=True, kw_only=True, omit_defaults=True, tag="declined"):
    """A message back to the profile that wanted to merge whoever lives at `origin`: that is `other`, who stays."""

    origin: str
    reason: str
    other: str = ""
    namespace: str = ""
    evidence: Evidence | None = None


class Stay(Input, frozen=True, kw_only=True, tag="stay"):
    """A message back to a profile that has handed over at once: it stays after all, because something has come to `by`
    meanwhile that contradicts it."""

    by: str


class Shares(Input, frozen=True, kw_only=True, omit_defaults=True, tag="shares"):
    """A message to an identifier's own place: `by` has it too, and could not be merged with whoever has it. Altogether
    it is of so many `people` at least. The key `source` has named it there, a write key where it is `public`."""

    by: str
    namespace: str
    people: int = 0
    source: str = ""
    public: bool = False


class Shared(Input, frozen=True, kw_only=True, omit_defaults=True, tag="shared"):
    """A message to a profile that has the identifier whose place is `place`: several people share its value, and it
    joins nobody from now on. `owner`: the place points to this profile. `source` and `public` as in `Shares`, of the
    word that was one too many."""

    place: str
    namespace: str
    owner: bool = False
    source: str = ""
    public: bool = False


class HandOver(Input, frozen=True, kw_only=True, omit_defaults=True, tag="hand_over"):
    """A message to the survivor: all that the profile `origin` held.

    `state` is the encoded profile; empty where there was none, or only the draws of a stranger (`drawn`). `history`
    (pages), `audit`, `seen`, `reviews` and `merges` are the records that stand beside it, each with its key less the
    profile's id. A long past comes in pieces: a piece that is not the last has in `after` how far it goes, and its
    `state`, if any, holds some of the traits alone.

    `in_part`: the traits went before, so the state is not what the profile was, and the merge cannot be undone.
    `is_new` and `to` are as it was asked, `lent` as in `Claim`. `whole`: everything is in this one message.
    With `points`, which earlier engines say, the place may go on to point to another profile.

    The survivor's shard adds `pages`, those of its own history, where a split had given some of its events to both.
    """

    origin: str
    state: bytes = b""
    history: tuple[tuple[bytes, bytes], ...] = ()
    audit: tuple[tuple[bytes, bytes], ...] = ()
    seen: tuple[tuple[bytes, bytes], ...] = ()
    after: bytes = b""
    is_new: bool = False
    whole: bool = False
    lent: tuple[Lent, ...] = ()
    to: str = ""
    reviews: tuple[tuple[bytes, bytes], ...] = ()
    merges: tuple[tuple[bytes, bytes], ...] = ()
    points: bool = False
    in_part: bool = False
    pages: tuple[tuple[bytes, bytes], ...] = ()


class GoOn(Input, frozen=True, kw_only=True, tag="go_on"):
    """A message back to a profile that hands over in pieces: all up to `after` is durable, send the next one."""

    after: bytes


class HandedOver(Input, frozen=True, kw_only=True, tag="handed_over"):
    """A message back to the profile that was merged: `to` has made everything durable, become a tombstone."""

    to: str


class Released(Input, frozen=True, kw_only=True, omit_defaults=True, tag="released"):
    """A message to a profile that could not be merged with whoever had the identifier whose place is `origin`: somebody
    else lives there now, or nobody, so it may be asked for anew (`anew`). In journals of earlier engines, without
    `anew`: the place has pointed to this profile and does not any more."""

    origin: str
    anew: bool = False


class Claim(Input, frozen=True, kw_only=True, omit_defaults=True, tag="claim"):
    """A message to an address's own place: profile `to` has it too. It takes nothing over from anybody. `merged` are
    profiles that live on in `to`. Of an address whose former profile is erased, `lent` are the messages that still
    count there, and `words` what binds it. `weak`: a write key's word alone has told so; it takes no place.
    """

    to: str
    public: bool = False
    merged: tuple[str, ...] = ()
    lent: tuple[Lent, ...] = ()
    words: tuple[ConsentRecord, ...] = ()
    weak: bool = False
