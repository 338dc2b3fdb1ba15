"""From a template and a customer's facts to the subject and the two bodies of a message.

Templates are the operator's, values are strangers': the environment is sandboxed, HTML is escaped, and what comes out
is bounded. Whatever goes wrong in a template would go wrong again, so it is `Refused`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any, Final

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from engine.errors import Refused

HTML_BYTES_MAX: Final = 256 * 1024
SUBJECT_CHARS_MAX: Final = 250

_SILENT: Final = frozenset(("head", "style", "script", "title", "template"))
_BLOCKS: Final = re.compile(r"address|article|blockquote|br|div|footer|h[1-6]|header|hr|li|ol|p|section|table|tr|ul")


@dataclass(frozen=True, slots=True)
class Rendered:
    """A subject of one line, an HTML body and the same as plain text."""

    subject: str
    html: str
    text: str


class Renderer:
    """The templates of one catalog, each compiled at its first use and kept."""

    def __init__(self, templates: Mapping[str, str]) -> None:
        loader = jinja2.DictLoader(dict(templates))
        self._html = ImmutableSandboxedEnvironment(loader=loader, autoescape=True, cache_size=-1, auto_reload=False)
        self._subjects = ImmutableSandboxedEnvironment(autoescape=False)
        self._compiled: dict[str, jinja2.Template] = {}

    def render(self, template: str, subject: str, values: Mapping[str, Any]) -> Rendered:
        """`subject` is a template too, not a name. `Refused` names the template, never a value."""
        try:
            html = _bounded(self._html.get_template(template), values, HTML_BYTES_MAX)
            line = _bounded(self._subject(subject), values, HTML_BYTES_MAX)
        except Refused as fault:
            raise Refused(f"template {template}: {fault.message}") from None
        except Exception as fault:  # a template can raise anything; its words may quote the customer's facts
            raise Refused(f"template {template}: {_reason(fault)}") from None
        return Rendered(_one_line(line), html, plain_text(html))

    def render_plain(self, content: Mapping[str, Any], values: Mapping[str, Any]) -> Rendered:
        """A message without a template of its own (a text, a push): each string of `content` is rendered, a line
        each."""
        try:
            lines = [
                _bounded(self._subject(source), values, HTML_BYTES_MAX)
                for source in content.values()
                if isinstance(source, str)
            ]
        except Exception as fault:  # as above
            raise Refused(f"content: {_reason(fault)}") from None
        return Rendered(_one_line(lines[0]) if lines else "", "", "\n".join(lines))

    def _subject(self, source: str) -> jinja2.Template:
        if source not in self._compiled:  # one per subject of the catalog
            self._compiled[source] = self._subjects.from_string(source)
        return self._compiled[source]


def plain_text(html: str) -> str:
    """The words of `html`, a line a block, with the address behind each link."""
    parser = _Words()
    parser.feed(html)
    parser.close()
    lines = (" ".join(line.split()) for line in "".join(parser.parts).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._silent = 0
        self._links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self._silent += 1
        elif _BLOCKS.fullmatch(tag):
            self.parts.append("\n- " if tag == "li" else "\n")
        elif tag == "a":
            self._links.append(dict(attrs).get("href") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        elif _BLOCKS.fullmatch(tag):
            self.parts.append("\n")
        elif tag == "a" and self._links:
            href = self._links.pop()
            self.parts.append(f" ({href})" if href else "")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(data.replace("\n", " "))


def _bounded(template: jinja2.Template, values: Mapping[str, Any], most: int) -> str:
    """The output, given up as soon as it is too large."""
    parts, size = [], 0
    for part in template.generate(values):
        size += len(part.encode(errors="replace"))
        if size > most:
            raise Refused(f"makes more than {most} bytes")
        parts.append(part)
    return "".join(parts)


def _reason(fault: Exception) -> str:
    """What the template's author needs to know. Jinja's own words name variables; other errors may quote values."""
    if isinstance(fault, jinja2.TemplateSyntaxError):
        return f"line {fault.lineno}: {fault.message}"
    if isinstance(fault, jinja2.TemplateNotFound):
        return f"there is no {fault.name}"
    if isinstance(fault, jinja2.UndefinedError):
        return str(fault.message)
    return f"fails with {type(fault).__name__}"


def _one_line(text: str) -> str:
    """Without line breaks and control characters: a customer's name must not become a header."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= SUBJECT_CHARS_MAX else line[: SUBJECT_CHARS_MAX - 1] + "…"
