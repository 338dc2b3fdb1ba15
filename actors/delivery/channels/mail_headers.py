"""The header lines of a mail, as bytes. RFC 5322 limits their length, RFC 2047 says how to write what is not ASCII.

A line has at most 78 characters where it can be folded and 998 where it cannot; an encoded word has at most 75. A link,
an address or an id is never folded. A value with a line break or a control character is a ValueError, because it could
smuggle in a header of its own.
"""

from __future__ import annotations

import re
from email.header import Header
from email.utils import formataddr
from typing import Final

from engine.values import identifiers

LINE_MAX: Final = 998
_LINE_WANTED: Final = 78
_WORD_MAX: Final = 75
_PLAIN: Final = re.compile(r"[!-~]+( [!-~]+)*")  # single blanks only: folding could lose others


def text(name: str, value: str) -> bytes:
    """A header of free text."""
    _check(name, value)
    if _PLAIN.fullmatch(value) and "=?" not in value:  # `=?` begins an encoded word, so a reader would decode it
        lines = _folded(name, value.split(" "))
        if lines is not None:
            return _ended("\r\n ".join(lines))
    return _ended(f"{name}: {_encoded(name, value)}" if value else f"{name}:")


def mailbox(name: str, display_name: str, address: str) -> bytes:
    """A header of one address, whose domain is in the form of DNS. An international local part makes it UTF-8."""
    _check(name, display_name + address)
    if not display_name:
        return _ended(f"{name}: {address}")
    if _PLAIN.fullmatch(display_name) and "=?" not in display_name:
        line = f"{name}: {formataddr((display_name, address))}"
        if len(line) <= _LINE_WANTED:
            return _ended(line)
    words = f"{name}: {_encoded(name, display_name)}"
    last = words.rpartition("\r\n")[2]
    gap = " " if len(last) + len(address) + 3 <= _LINE_WANTED else "\r\n "
    return _ended(f"{words}{gap}<{address}>")


def token(name: str, value: str) -> bytes:
    """A header that must stay in one piece."""
    _check(name, value)
    return _ended(f"{name}: {value}")


def _check(name: str, value: str) -> None:
    if not identifiers.is_clean(value):
        raise ValueError(f"the header {name} has characters that it must not have")


def _folded(name: str, words: list[str]) -> list[str] | None:
    """Lines of at most 78 characters, the blank before each but the first included; None where a word is too long."""
    lines = [f"{name}: {words[0]}"]
    for word in words[1:]:
        indent = 1 if len(lines) > 1 else 0
        if len(lines[-1]) + 1 + len(word) + indent <= _LINE_WANTED:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines if all(len(line) < _LINE_WANTED for line in lines) else None


def _encoded(name: str, value: str) -> str:
    return Header(value, "utf-8", maxlinelen=_WORD_MAX, header_name=name).encode(linesep="\r\n")


def _ended(line: str) -> bytes:
    made = line.encode() + b"\r\n"
    if any(len(part) > LINE_MAX for part in made.split(b"\r\n")):
        raise ValueError(f"the header {line.partition(':')[0]} has a line that is too long")
    return made
