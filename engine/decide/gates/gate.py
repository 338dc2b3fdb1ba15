"""The type of gates. A gate is a question that may remove candidates of a decision, or keep a message from leaving."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from engine.catalog.compiled import Action, Catalog
from engine.decide.gates.candidates import Candidates, Departure
from engine.explain.deciding_part import Failing
from engine.view import View

# When a gate is asked about candidates:
#   ranking   about all of them at once, before any is chosen
#   choosing  about the one that ranks best, when its turn comes
#   chosen    about all that are left, after each choice
#   send      about the single candidate that a journey's send is, beside `ranking` and `choosing`
When = Literal["ranking", "choosing", "chosen", "send"]

Strike = Callable[[Candidates, int], int]


@dataclass(frozen=True, slots=True)
class Numbered:
    """Reasons that receipts keep by their number.

    Numbers are counted block by block, so a block may never change its place, and what a catalog gives in one block may
    not change its order: receipts on disk would be read wrongly. A new gate takes the next free block.
    """

    block: int
    of: Callable[[Catalog], Iterable[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One gate. Its function works on the whole set of candidates at a time: they are bits of an integer.

    `reasons` are its codes as people read them, `<id>` where a code names something of the catalog; each has its text
    in `engine.decide.gates.texts`. `strike` takes the candidates that are left and returns those that pass; it drops
    the others with their reasons. `about` names the parts of a plan that it looks at: where all of these are empty it
    is not asked, and a gate without `about` always is. `refuse` returns the reason for which a decided send must not be
    handed over, None where it may. `delay` returns (reason, until when) for one that must not be handed over yet.
    `behind` tells the part of a condition that led to a reason.
    """

    name: str
    reasons: tuple[str, ...]
    asked: frozenset[When] = frozenset()
    about: tuple[str, ...] = ()
    strike: Strike | None = None
    refuse: Callable[[Departure], str | None] | None = None
    delay: Callable[[Departure], tuple[str, int] | None] | None = None
    behind: Callable[[View, Action, str], Failing | None] | None = None
    numbered: tuple[Numbered, ...] = ()
    empties_slot: bool = False  # a candidate that it removes when choosing leaves its slot empty: nobody moves up
    names_every_rule: bool = False  # objections to a send list each of its rules, not only the first

    def gives(self, reason: str) -> bool:
        """Whether a reason is one of this gate's."""
        heads = (code.partition("<") for code in self.reasons)
        return any(reason.startswith(head) if opened else reason == head for head, opened, _ in heads)
