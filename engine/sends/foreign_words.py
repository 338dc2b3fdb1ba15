"""Makes a stranger's words harmless in a message that needs no consent, or that goes to an unconfirmed mailbox.

A write key stands in web pages, so anybody can have such a message sent. It must not say what they want it to say: each
text is cut short, and links, addresses and line breaks are taken out. Numbers and the shape of the data stay.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final

CHARS_MAX: Final = 60

# A word that a mail program could make a link of: with a scheme, an address, or a dot before something like a domain.
_LINK: Final = re.compile(
    r"^\W*[a-z][a-z0-9+.-]*:\S|//|@|\\\\|www\."
    r"|[^\s.]\.(?=[^\s./:?#]*[^\W\d_])(?=[^\s./:?#]{2})|\d+\.\d+\.\d+\.\d+",
    re.IGNORECASE,
)
# Characters that are read as the dots of a domain (RFC 3490, section 3.1), and one more that looks like a dot.
_DOTS: Final = str.maketrans("。｡．․", "....")
_BREAKS: Final = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"))


def cut(value: Any) -> Any:
    """The value with every text in it made harmless, names of fields too."""
    if isinstance(value, str):
        return _short(value)
    if isinstance(value, dict):
        return {cut(name): cut(part) for name, part in value.items()}
    return [cut(part) for part in value] if isinstance(value, list | tuple) else value


def _short(text: str) -> str:
    # Text behind the first lines is not looked at: it would be cut, whatever is taken out.
    # Format characters leave no gap, so a link that was split by an invisible one is whole again, and is found.
    spaced = "".join(
        ("" if unicodedata.category(char) == "Cf" else " ") if unicodedata.category(char) in _BREAKS else char
        for char in text[: 20 * CHARS_MAX]
    )
    words = [word for word in spaced.split() if not _is_link(word)]
    line = " ".join(words)
    return line if len(line) <= CHARS_MAX else line[: CHARS_MAX - 1].rstrip() + "…"


def _is_link(word: str) -> bool:
    plain = unicodedata.normalize("NFKC", word).translate(_DOTS)
    return _LINK.search(plain) is not None
