"""Finds what a message lacks although it can be written: a subject, words, or the link to unsubscribe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from actors.catalog_proof.invented_customers import Customer
from actors.delivery.channels.adapter import Message
from engine.catalog.problems import Loc

_UNSEEN: Final = (("<!--", "-->"), ("<style", "</style>"), ("<script", "</script>"), ("<head>", "</head>"))


def lacks(tier: str, content: Mapping[str, Any], made: Message, customer: Customer) -> Iterator[tuple[Loc, str]]:
    """The missing parts, each with its place in the content. `made` is the message as it was written to `customer`, who
    is a typical one, or one of whom nothing is known."""
    for key, written in (("subject", made.subject), ("text", made.text)):
        text = content.get(key)
        if not isinstance(text, str) or (key == "text" and "template" in content) or (written or "").strip():
            continue
        if "{" in text:
            mend = "say what to write instead, as in {{ … | default('you') }}"
            yield (key,), f"is empty for {customer.words}: {mend}"
        else:
            yield (key,), "is blank"
    if tier == "promotional" and "template" in content and not _has_way_out(made):
        message = "a promotional mail needs a link to leave by: {{ unsubscribe_url }} is nothing that can be seen in it"
        yield ("template",), f"{message} for {customer.words}"


def _has_way_out(made: Message) -> bool:
    seen = made.html or ""
    for opening, closing in _UNSEEN:
        first, *rest = seen.split(opening)
        seen = first + "".join(part.partition(closing)[2] for part in rest)
    return made.unsubscribe_url in seen
