"""The rights of keys. A server key may state everything. A write key stands in web pages, so anybody may use it.

Under a write key anybody may withdraw consent and report what happened. `sources.yaml` says under the name of the key
which consent it may grant, and which events it may send.
"""

from __future__ import annotations

from typing import Final

from engine.catalog.compiled import Catalog
from engine.catalog.permissions import Source
from engine.consent import statements

_UNNAMED: Final = Source()


def source(catalog: Catalog, name: str) -> Source:
    """The source of a key's name in `sources.yaml`; one that may grant nothing where it is not named there."""
    return catalog.sources.get(name, _UNNAMED)


def may_grant(catalog: Catalog, name: str, purpose: str, *, public: bool) -> bool:
    """Whether a grant of `purpose` (`*`: of all) from this source has effect by itself."""
    return not public or not {purpose, "*"}.isdisjoint(source(catalog, name).grants)


def may_send(catalog: Catalog, name: str, event: str, *, public: bool) -> bool:
    """Whether this source may send track events of that name. Anybody may send what carries consent: that is judged by
    what it states, and a no must never be set aside because of its source."""
    allowed = source(catalog, name).events
    return not public or allowed is None or event in allowed or statements.carries(catalog, event)
