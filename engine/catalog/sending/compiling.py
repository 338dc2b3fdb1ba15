"""Compiles `send` steps and the guards of a journey from their checked models."""

from __future__ import annotations

from engine.catalog.schema.of_steps import sending as written
from engine.catalog.sending.compiled import BOUNCE_MS, OF_GATES, Guards, Sending


def sending(send: written.Send) -> Sending:
    """What a `send` step sends, and where it goes on when that does not arrive."""
    reasons = send.fallback.on if send.fallback is not None else ()
    spans = {each.word: getattr(each, each.word) for each in reasons if isinstance(each, written.Timed)}
    words = frozenset(each if isinstance(each, str) else each.word for each in reasons)
    silent_ms = spans.get("silent", 0)
    return Sending(
        actions=tuple(send.candidates),
        channels=tuple(send.ladder),
        rule=send.rule,
        # Who chooses, chooses among those that may be used; a ladder is left for the reasons that it names.
        falls_on=words if send.fallback is not None and send.rule == "order" else words | OF_GATES,
        down_ms=spans.get("down", 0),
        silent_ms=silent_ms,
        bounced_ms=spans.get("bounced", silent_ms or BOUNCE_MS) if "bounced" in words else 0,
        deadline_ms=send.deadline or 0,
    )


def guards(rules: written.Guards) -> Guards:
    """The bounds on the messages of a journey."""
    pace = (rules.pace.limit, rules.pace.per) if rules.pace is not None else None
    return Guards(rules.touches, rules.deadline or 0, pace)
