"""Writes every variant of every action, on every channel, to invented customers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Final

from actors.catalog_proof import template_names
from actors.catalog_proof.invented_customers import Customer, Shape, customers
from actors.catalog_proof.letter_doubts import lacks
from actors.delivery.channels.adapter import Adapter, Message
from actors.delivery.channels.letter import letter
from actors.delivery.channels.rendering import Renderer
from engine.catalog.checks.known_names import Fact, facts
from engine.catalog.compiled import Action, Catalog, Variant
from engine.catalog.document import Document, in_folder
from engine.catalog.problems import Loc, Problem
from engine.errors import Refused

Bound = Callable[[str], AbstractContextManager[None]]

_URL: Final = "https://segue.example"
_AT_MS: Final = 1_772_409_600_000
# By the kind of address that the channel needs; any other kind gets the first.
_ADDRESSES: Final = {"email": "ada@shop.example", "phone": "+4915112345678"}


class TakesTooLong(BaseException):
    """The writing of one message was given up. It is a BaseException so that no template and no renderer catches it."""


def letter_problems(
    catalog: Catalog, document: Document, adapters: Mapping[str, Adapter], bound: Bound
) -> Iterator[Problem]:
    """A problem for each message that cannot be written, once, for the first customer whom it fails for. A part that a
    message lacks is a warning."""
    renderer, told, known = Renderer(catalog.templates), set(), list(facts(catalog))
    files = {data.get("id"): file for file, data in in_folder(document, "actions").items()}
    for action in catalog.actions.values():
        for number, variant in enumerate(action.variants):
            for channel in action.channels:
                if channel not in adapters:
                    continue
                writing = _Writing(catalog, renderer, adapters[channel], action, variant, channel, known)
                for found in writing.problems(files[action.id], ("variants", number, channel), bound):
                    if (found.file, found.line, found.loc, found.message) not in told:
                        told.add((found.file, found.line, found.loc, found.message))
                        yield found


class _Writing:
    """One variant on one channel."""

    def __init__(
        self,
        catalog: Catalog,
        renderer: Renderer,
        adapter: Adapter,
        action: Action,
        variant: Variant,
        channel: str,
        known: list[Fact],
    ) -> None:
        self._catalog, self._renderer, self._adapter = catalog, renderer, adapter
        self._action, self._variant, self._channel = action, variant, channel
        self._facts = known
        self._content: Mapping[str, Any] = variant.content.get(channel, {})

    def problems(self, file: str, loc: Loc, bound: Bound) -> Iterator[Problem]:
        """The reason why the message cannot be written to the first customer whom it fails for; else the parts that it
        lacks for usual customers."""
        doubted: dict[Loc, Problem] = {}
        name = f"{file}, variant {self._variant.id} on {self._channel}"
        for customer in customers(*self._known()):
            try:
                with bound(name):
                    made = self.write(customer)
                    if customer.is_telling:
                        self._adapter.prove(made)
                for path, message in (
                    lacks(self._action.tier, self._content, made, customer) if customer.is_usual else ()
                ):
                    doubted.setdefault(path, Problem(file, (*loc, *path), message, is_warning=True))
            except Refused as fault:
                yield self._problem(file, loc, customer, fault)
                return
            except TakesTooLong:
                yield Problem(file, loc, f"takes too long to be written to {customer.words}")
                return
        yield from doubted.values()

    def write(self, customer: Customer) -> Message:
        """The message as the dispatcher would hand it over."""
        message = {
            "send": "0.0",
            "channel": self._channel,
            "address": _ADDRESSES.get(self._catalog.channels[self._channel].address, _ADDRESSES["email"]),
            "content": dict(self._content),
            "traits": customer.traits,
            "event": customer.event,
            "language": customer.language,
            "action": dict(self._action.facts),
            "currency": self._catalog.currency,
            "timezone": self._catalog.zone,
            "opt_out": "opt-out",
            "confirm": "confirm",
            "at_ms": _AT_MS,
        }
        return letter(message, self._renderer, _URL, 30.0)

    def _known(self) -> tuple[Shape, Shape]:
        """The shapes of traits and events: learned from the templates of this message first, then from the catalog's
        conditions and its tracking plan."""
        roots = {"traits": Shape("mapping"), "event": Shape("mapping")}
        texts = [text for text in self._content.values() if isinstance(text, str)]
        named = [self._catalog.templates[text] for text in texts if text in self._catalog.templates]
        template_names.learn([*texts, *named], self._catalog.templates, roots)
        for root, path, kind, example in self._facts:
            here = roots[root]
            for name in path:
                here = here.at(name)
            if here.element is None and not here.fields:
                here.is_used_as(kind, example)
        return roots["traits"], roots["event"]

    def _problem(self, file: str, loc: Loc, customer: Customer, fault: Refused) -> Problem:
        template, line = self._content.get("template"), _line_of(fault)
        reason = f"cannot be written to {customer.words}: {_reason(fault)}"
        if template is not None and fault.message.startswith(f"template {template}"):
            return Problem(f"templates/{template}", ("template",), reason, line or 1)
        return Problem(file, loc, reason)


def _reason(fault: Refused) -> str:
    """The renderer's words, and Python's own. Those may quote values, which are invented here."""
    cause = fault.__context__
    words = fault.message.partition(": ")[2] if fault.message.startswith("template ") else fault.message
    if cause is None or isinstance(cause, Refused) or not str(cause) or str(cause) in words:
        return words
    return f"{words}: {' '.join(str(cause).split())[:200]}"


def _line_of(fault: Refused) -> int:
    """The line of the template that failed, 0 where that is not known. Jinja marks the frames of templates."""
    line, cause = 0, fault.__context__
    here: TracebackType | None = cause.__traceback__ if cause is not None else None
    while here is not None:
        if "__jinja_exception__" in here.tb_frame.f_globals:
            line = here.tb_lineno
        here = here.tb_next
    return line
