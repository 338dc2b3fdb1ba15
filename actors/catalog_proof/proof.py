"""Proves a catalog before an engine runs by it: `segue validate`, a start, and a catalog that is posted all come here.

The catalog is compiled, and an adapter is built for each of its channels. Then each variant of each action is written
to invented customers, on each of its channels, by the code that writes to real ones. A message that fails for an
invented customer would fail for a real one some day. So it is a problem like any other, with its file, its line, and
the kind of customer it fails for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NamedTuple

import msgspec

from actors.catalog_files import config_files
from actors.catalog_files.config_files import Documents
from actors.catalog_proof.letters import letter_problems
from actors.delivery.channels import open_adapters
from actors.delivery.channels.adapter import Adapter
from engine.catalog.compile import Examined, examined
from engine.catalog.compiled import Catalog
from engine.catalog.problems import Problem
from engine.clashes.findings import Finding
from engine.clashes.single.showing import certainties
from engine.errors import CatalogError, UsageError

Bound = Callable[[str], AbstractContextManager[None]]


class Proved(NamedTuple):
    """A catalog that can be used, and warnings of parts that its author can hardly have meant, as
    `file:line: path: message`. `findings` are those of the proof of clashes, where it was asked for."""

    catalog: Catalog
    warnings: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


def of_directory(directory: Path, environ: Mapping[str, str]) -> Proved:
    """Prove the catalog in a directory. `environ` has the variables that settings of its channels may name. Raises
    CatalogError with every problem."""
    return prove(config_files.read(directory), environ)


def of_texts(files: Mapping[str, str | bytes], environ: Mapping[str, str]) -> Proved:
    """The same for files that are not on disk."""
    return prove(config_files.read_texts(files), environ)


def prove(
    documents: Documents,
    environ: Mapping[str, str],
    bound: Bound = lambda what: nullcontext(),
    rehearsing: AbstractContextManager[None] | None = None,
) -> Proved:
    """The same for files that were read. `bound` is entered with the name of each message before it is written, and
    ends writing that takes too long. With `rehearsing`, which bounds it, clashes are looked for as well."""
    found = examined(documents.data, documents.unread)
    _refuse(documents, [*documents.problems, *found.problems])  # everything below needs a catalog that compiles
    catalog = found.catalog()
    adapters: dict[str, Adapter] = {}
    problems = [*_adapter_problems(catalog, environ, adapters)]
    of_letters = list(letter_problems(catalog, documents.data, adapters, bound))
    _refuse(documents, problems + [problem for problem in of_letters if not problem.is_warning])
    doubts = [
        *found.warnings(),
        *certainties(found.plain, found.models),
        *documents.warnings,
        *_unset(catalog, environ),
    ]
    told = {(doubt.file, doubt.loc) for doubt in doubts}
    doubts += [doubt for doubt in of_letters if (doubt.file, doubt.loc) not in told]
    findings = () if rehearsing is None else _clashes(catalog, found, documents, rehearsing)
    shown = {str(each) for each in findings}
    return Proved(catalog, tuple(line for line in _told(documents, doubts) if line not in shown), findings)


def _clashes(
    catalog: Catalog, found: Examined, documents: Documents, rehearsing: AbstractContextManager[None]
) -> tuple[Finding, ...]:
    # An engine for rehearsals is imported where one is needed: a start and a posted catalog need none.
    from actors.catalog_proof import clashes

    return clashes.findings(catalog, found.plain, found.models, documents.located, rehearsing)


def _refuse(documents: Documents, problems: list[Problem]) -> None:
    if problems:
        raise CatalogError(_told(documents, problems))


def _told(documents: Documents, problems: list[Problem]) -> tuple[str, ...]:
    located = sorted(map(documents.located, problems), key=lambda problem: (problem.file, problem.line))
    return tuple(dict.fromkeys(str(problem) for problem in located))


def _adapter_problems(catalog: Catalog, environ: Mapping[str, str], adapters: dict[str, Adapter]) -> Iterator[Problem]:
    """Settings of which no adapter can be built. The adapters that can be built go into `adapters`."""
    for place, channel in _channels(catalog):
        try:
            adapters |= open_adapters({channel: catalog.channels[channel]}, environ)
        except UsageError as error:
            yield Problem("channels.yaml", (*place, error.field) if error.field else place, error.message)


def _unset(catalog: Catalog, environ: Mapping[str, str]) -> Iterator[Problem]:
    """Settings that name an environment variable which is not set, and that have no value of their own."""
    for place, channel in _channels(catalog):
        settings = catalog.channels[channel].settings
        for key in ("host", "sender"):
            variable = settings.get(f"{key}_env")
            if variable and not settings.get(key) and not environ.get(variable):
                message = f"{variable} is not set here: where the engine runs it must be, or {key} must be written"
                yield Problem("channels.yaml", (*place, f"{key}_env"), message)


def _channels(catalog: Catalog) -> list[tuple[tuple[str | int, ...], str]]:
    document = msgspec.msgpack.decode(catalog.document)
    listed = (document.get("channels.yaml") or {}).get("channels", [])
    return [(("channels", i), channel["id"]) for i, channel in enumerate(listed)]
