"""Dead letters: inputs that could not be handled, kept with the reason, to be read, told again, or thrown away
(Invariant 11).

They are inputs whose turn failed, messages between profiles that cannot arrive, and items of batches that are no event.
A letter is locked under the key of the profile that it is for, so an erasure takes it along. An item that names nobody
who is known here has a key of the shard's own, and is gone after a month.

Each kind has bounds of its own. Rejected items, which anybody can send, never push out the items that a tracking plan
has set aside, and neither of them pushes out inputs that failed by our fault.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

import msgspec

from actors.storage import keys
from actors.storage.batch import Batch
from engine import codec
from engine.errors import NotFound
from engine.inputs import AnyInput, Rejected
from engine.vocabulary import DAY_MS

LISTED_MAX = 1_000
LISTED_BYTES_MAX = 8 << 20
SHOWN_BYTES_MAX = 64 << 10  # of one input in a list; a larger one is shown by its size
KEPT_MS = 30 * DAY_MS
TRACKING_PLAN, CONSENT = "tracking plan: ", "consent: "  # how the reasons of quarantined items begin

Kind = Literal["failed", "quarantined", "rejected"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Bound:
    """How many letters of a kind a shard keeps, and how many bytes of them."""

    letters_max: int
    bytes_max: int


BOUNDS: Final[dict[Kind, Bound]] = {"quarantined": Bound(10_000, 64 << 20), "rejected": Bound(10_000, 16 << 20)}


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An input that was set aside at `at_ms`, for the `attempts`-th time."""

    number: int
    profile: str
    reason: str
    at_ms: int
    told: AnyInput
    attempts: int = 1
    sender: str = ""  # of a message that did not arrive, with its sequence
    seq: int = 0
    size: int = 0  # of the input, in bytes


class DeadLetters:
    """The dead letters of one shard, numbered in the order in which they came."""

    def __init__(self, batch: Batch, last: int) -> None:
        self._batch = batch
        self._indices: dict[Kind, _Index] | None = None  # read at the first need
        self.last = last  # the number of the newest one ever

    def put(
        self,
        profile: str,
        told: AnyInput,
        reason: str,
        at_ms: int,
        *,
        attempts: int = 1,
        owner: str = "",
        message: tuple[str, int] = ("", 0),
    ) -> None:
        """Set an input aside, locked under the key of `owner` where that is not the profile itself. Letters of its kind
        that are too old or too many go. `message` is the sender and sequence of a message that has not arrived."""
        packed = msgspec.msgpack.encode([profile, reason, at_ms, codec.encode_input(told), attempts, *message])
        indices, kind = self._read_indices(), _kind(told, reason)
        self.last += 1
        self._batch.put("dead", keys.number_key(self.last), codec.seal(packed), owner or profile)
        indices[kind].put(self.last, len(packed), at_ms)
        for number in indices[kind].over(BOUNDS[kind], at_ms) if kind in BOUNDS else ():
            self._batch.put("dead", keys.number_key(number), None)

    def adopt(self, records: Iterable[bytes]) -> None:
        """Take over letters as another shard has locked them."""
        for record in records:
            self.last += 1
            self._batch.put("dead", keys.number_key(self.last), record)
            self._indices = None

    def all(self, kind: Kind | None = None) -> list[DeadLetter]:
        """The newest letters, of one kind or of any, newest first: at most `LISTED_MAX`, and as many as an answer has
        room for."""
        indices = self._read_indices()
        chosen = [indices[each].sizes for each in KINDS if kind in (None, each)]
        sizes = {number: size for letters in chosen for number, (size, _) in letters.items()}
        found: list[DeadLetter] = []
        room = LISTED_BYTES_MAX
        for number in sorted(sizes, reverse=True):
            room -= min(sizes[number], SHOWN_BYTES_MAX)
            if len(found) == LISTED_MAX or (found and room < 0):
                break
            record = self._batch.get("dead", keys.number_key(number))
            if record is not None:  # else it went with its person
                found.append(_read(number, record))
        return found

    def get(self, number: int) -> DeadLetter:
        """One of them; NotFound where there is none."""
        record = self._batch.get("dead", keys.number_key(number))
        if record is None:
            raise NotFound(f"there is no dead letter {number}", "id")
        return _read(number, record)

    def take(self, number: int) -> DeadLetter:
        """Remove one; NotFound where there is none."""
        letter = self.get(number)
        self._batch.put("dead", keys.number_key(number), None)
        self._read_indices()[_kind(letter.told, letter.reason)].remove(number)
        return letter

    def _read_indices(self) -> dict[Kind, _Index]:
        if self._indices is None:
            self._indices = {kind: _Index() for kind in KINDS}
            # one letter behind a broken key is no reason to show none of the others
            for key, record in self._batch.rows("dead", b"", unreadable_too=False):
                letter = _read(int.from_bytes(key), record)
                self._indices[_kind(letter.told, letter.reason)].put(letter.number, len(record), letter.at_ms)
        return self._indices


class _Index:
    """The letters of one kind, the oldest first, without their contents."""

    def __init__(self) -> None:
        self.sizes: dict[int, tuple[int, int]] = {}  # by number: bytes, and when it was set aside
        self._bytes = 0

    def put(self, number: int, size: int, at_ms: int) -> None:
        self.sizes[number] = size, at_ms
        self._bytes += size

    def remove(self, number: int) -> None:
        size, _ = self.sizes.pop(number, (0, 0))
        self._bytes -= size

    def over(self, bound: Bound, now_ms: int) -> list[int]:
        """Take out the letters that are too old or too many; returns their numbers."""
        gone: list[int] = []
        while self.sizes:
            number, (_, at_ms) = next(iter(self.sizes.items()))
            # the newest letter stays however large it is: somebody has just been told that it is kept
            is_over = len(self.sizes) > bound.letters_max or (len(self.sizes) > 1 and self._bytes > bound.bytes_max)
            if not is_over and at_ms >= now_ms - KEPT_MS:
                break
            self.remove(number)
            gone.append(number)
        return gone


def _kind(told: AnyInput, reason: str) -> Kind:
    if not isinstance(told, Rejected):
        return "failed"
    return "quarantined" if reason.startswith((TRACKING_PLAN, CONSENT)) else "rejected"


def _read(number: int, record: bytes) -> DeadLetter:
    profile, reason, at_ms, told, *more = msgspec.msgpack.decode(codec.unseal(record, "dead"))
    return replace(DeadLetter(number, profile, reason, at_ms, codec.decode_input(told), *more), size=len(told))
