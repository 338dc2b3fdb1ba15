"""What is kept of an item that is no event."""

from __future__ import annotations

from engine.told.base import Input


class Rejected(Input, frozen=True, kw_only=True, omit_defaults=True, tag="rejected"):
    """An item of a batch that is no event: `text` is what came, cut where it is too long. No profile is told this; it
    is only kept."""

    text: str
    field: str = ""
    source: str = ""
    channel: str = ""
    received_at_ms: int = 0
    is_cut: bool = False
    public: bool = False
    imported: bool = False
    sent_at: str = ""  # of its batch, as JSON
