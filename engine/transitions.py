"""Lives as tables: which state follows on which event. A transition that its table does not have cannot happen.

A state and an event lead to the next state, as h11 keeps its connections. The tables are in
`engine.sends.life` and `engine.journeys.life`; `docs/design/lives.md` shows them as diagrams.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

BEGIN: Final = "[*]"  # where a life begins, and where it is forgotten: Mermaid's word for both


class InvalidTransition(AssertionError):
    """Something happened to a send or a run that its table does not have: a fault of ours, so its turn is undone."""


@dataclass(frozen=True, slots=True)
class Life:
    """The life of one kind of thing. `arrows` lead from a state and an event to the next state."""

    of: str
    arrows: Mapping[tuple[str, str], str]

    def after(self, state: str, event: str) -> str:
        """The state that follows; InvalidTransition where the table has none."""
        following = self.arrows.get((state, event))
        if following is None:
            raise InvalidTransition(f"a {self.of} that is {state} cannot {event}")
        return following

    def diagram(self) -> str:
        """The table as a Mermaid diagram; events with the same two ends share an arrow."""
        events: dict[tuple[str, str], list[str]] = {}
        for (state, event), following in self.arrows.items():
            events.setdefault((state, following), []).append(event)
        lines = [f"    {state} --> {following}: {', '.join(words)}" for (state, following), words in events.items()]
        return "\n".join(("```mermaid", "stateDiagram-v2", *lines, "```"))
