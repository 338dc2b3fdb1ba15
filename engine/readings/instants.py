"""Instants as clients read them."""

from __future__ import annotations

from datetime import UTC, datetime


def iso(ms: int) -> str:
    """ISO 8601 in UTC with milliseconds."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
