"""What the proof of clashes finds: a suspicion that the catalog gives rise to, and the finding that a rehearsal makes
of it.

A suspicion brings stories, and says what one of them must show. Its witness is the shortest story that was seen to show
it. A suspicion that no story shows is dropped, unless it is one about which no story could say anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import msgspec

from engine.catalog.problems import Problem
from engine.clashes.stories import Story, Told

Kind = Literal["warning", "note"]
Shows = Callable[[Story, Told], bool]  # whether a story and what was recorded of it show something


@dataclass(frozen=True, slots=True)
class Control:
    """The same story without the thing that is to blame, and what must be so of it as well."""

    without: Callable[[Story], Story]
    holds: Callable[[Told], bool]


@dataclass(frozen=True, slots=True)
class Suspicion:
    """`shows` says whether a story, once it is rehearsed, shows what `problem` claims. The stories are tried in their
    order, the likeliest first; `journeys` are those that may act in them, and all others stand still. One that
    `stands_alone` is told without a witness where no story shows it. With a `control` a story shows it only if the
    control holds too."""

    problem: Problem
    journeys: frozenset[str]
    stories: Iterable[Story]
    shows: Shows
    kind: Kind = "warning"
    stands_alone: bool = False
    control: Control | None = None


class Witness(msgspec.Struct, frozen=True):
    """A story that shows a finding, what the engine recorded of it, and both in words, a line for each moment."""

    story: Story
    told: Told
    lines: tuple[str, ...]


class Verdict(msgspec.Struct, frozen=True):
    """Who wins where two journeys meet. `held`: the reason `rule` holds back `action` of the loser. `free`: both go
    out, and no cap counts both. `room`: both go out, and each cap that counts both has room. `stopped`: what starts the
    winner ends the loser, by `rule`."""

    kind: Literal["held", "free", "room", "stopped"]
    winner: str
    loser: str
    rule: str = ""
    action: str = ""


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is printed, and given out as data: a warning, or a note that never fails. `path` is spelled as people count
    (`steps[2].send`)."""

    kind: Kind
    file: str
    line: int
    path: str
    message: str
    witness: Witness | None = None
    verdict: Verdict | None = None  # of a pair of journeys

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.path}: {self.message}"
