"""Makes the subject and the two bodies of a message from a template and a customer's facts.

The operator writes the templates, but strangers fill in the values: the environment is sandboxed, HTML is escaped, and
the output is bounded. A template that fails would fail again, so every fault is `Refused`, which is final.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import jinja2

from actors.delivery.channels.plain_text import plain_text
from engine.errors import Refused
from engine.texts import effort
from engine.texts.language import TemplateLanguage
from engine.texts.values import present

HTML_BYTES_MAX: Final = 256 * 1024
SUBJECT_CHARS_MAX: Final = 250


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
        self._html = TemplateLanguage(loader=loader, autoescape=True, cache_size=-1, auto_reload=False)
        self._texts = TemplateLanguage(loader=loader, autoescape=False, cache_size=-1, auto_reload=False)
        self._compiled: dict[str, jinja2.Template] = {}

    def render(self, template: str, subject: str, values: Mapping[str, Any], text: str = "") -> Rendered:
        """`subject` is itself a template, not a name. `text` is the name of the template of the plain text; where it is
        empty, the plain text is made of the HTML. `Refused` names the template, never a value."""
        try:
            seen = present(dict(values)) or {}
            html = _bounded(self._html.get_template(template), seen)
            line = _bounded(self._text(subject), seen)
            plain = _bounded(self._texts.get_template(text), seen) if text else plain_text(html)
        except Exception as fault:  # a template can raise anything; its words may quote the customer's facts
            raise Refused(f"template {template}: {_reason(fault)}") from None
        return Rendered(_one_line(line), html, plain)

    def render_plain(self, content: Mapping[str, Any], values: Mapping[str, Any]) -> Rendered:
        """A message without a template of its own (a text, a push): each string of `content` is rendered, a line
        each."""
        try:
            seen = present(dict(values)) or {}
            lines = [_bounded(self._text(source), seen) for source in content.values() if isinstance(source, str)]
        except Exception as fault:  # a template can raise anything; its words may quote the customer's facts
            raise Refused(f"content: {_reason(fault)}") from None
        return Rendered(_one_line(lines[0]) if lines else "", "", "\n".join(lines))

    def render_texts(self, data: Any, values: Mapping[str, Any]) -> Any:
        """Plain data with every text in it rendered as a small template; the names of fields stay."""
        try:
            return self._each(data, present(dict(values)) or {})
        except Exception as fault:  # a template can raise anything; its words may quote the customer's facts
            raise Refused(f"body: {_reason(fault)}") from None

    def _each(self, data: Any, seen: dict[str, Any]) -> Any:
        if isinstance(data, Mapping):
            return {name: self._each(part, seen) for name, part in data.items()}
        if isinstance(data, list | tuple):
            return [self._each(part, seen) for part in data]
        is_template = isinstance(data, str) and ("{{" in data or "{%" in data)
        return _bounded(self._text(data), seen) if is_template else data

    def _text(self, source: str) -> jinja2.Template:
        if source not in self._compiled:  # one per subject of the catalog
            self._compiled[source] = self._texts.from_string(source)
        return self._compiled[source]


def _bounded(template: jinja2.Template, values: Mapping[str, Any]) -> str:
    """The output, given up as soon as it is too large."""
    parts, size = [], 0
    with effort.counted():
        for part in template.generate(values):
            size += len(part.encode(errors="replace"))
            if size > HTML_BYTES_MAX:
                raise Refused(f"makes more than {HTML_BYTES_MAX} bytes")
            parts.append(part)
    return _whole("".join(parts))


def _whole(text: str) -> str:
    """The text with a replacement character for each lone surrogate, which UTF-8 and so no mail can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _reason(fault: Exception) -> str:
    """The reason, for the template's author. Jinja's own words name only variables; other errors may quote values."""
    if isinstance(fault, Refused):
        return fault.message
    if isinstance(fault, jinja2.TemplateSyntaxError):
        return f"line {fault.lineno}: {fault.message}"
    if isinstance(fault, jinja2.TemplateNotFound):
        return f"there is no {fault.name}"
    return f"fails with {type(fault).__name__}"


def _one_line(text: str) -> str:
    """The text without line breaks and control characters: a customer's name must not become a header of its own."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= SUBJECT_CHARS_MAX else line[: SUBJECT_CHARS_MAX - 1] + "…"
