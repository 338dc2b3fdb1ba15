"""Reads `configs/` from disk: plain data for `engine.catalog`, and the line of each part of it.

Reading goes on after a fault, so that one run finds every problem of a directory.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scalarbool import ScalarBoolean
from ruamel.yaml.scanner import RoundTripScanner

from actors.catalog_files import yaml_doubts, yaml_words
from engine.catalog.checks.file_names import other_name
from engine.catalog.compile import compile_document, problems_of
from engine.catalog.compiled import Catalog
from engine.catalog.problems import Loc, Problem
from engine.catalog.schema import files as schema
from engine.errors import CatalogError

FILE_BYTES_MAX = 1_000_000
FILE_NODES_MAX = 10_000  # reading a value takes a fifth of a millisecond
_MEANT_NODES_MAX = 100_000  # with aliases followed: an alias repeats its anchor, so a small file can be a huge tree
DEPTH_MAX = 60
FILES_MAX = 2_000
_NAME_CHARS_MAX = 255
_TEMPLATE_KINDS = (".html", ".txt")
# Files that systems leave in folders, and editors while they write: emacs's #offer.yaml#, vim's 4913, backup copies.
_LEFT = re.compile(
    r"Thumbs\.db|ehthumbs\.db|desktop\.ini|#.*#|4913|5036|.*\.(swp|swo|bak|orig|tmp)|Icon\r", re.IGNORECASE
)
_BESIDE = ("schema", "playbooks")  # folders in `configs/` that belong to no catalog


@dataclass(slots=True)
class Documents:
    """A directory as it was read. `unread` are the files that could not be read; only their problems are known."""

    data: dict[str, Any] = field(default_factory=dict)
    trees: dict[str, Any] = field(default_factory=dict)  # what ruamel made of each file, with positions
    problems: list[Problem] = field(default_factory=list)
    unread: set[str] = field(default_factory=set)
    warnings: list[Problem] = field(default_factory=list)  # parts that YAML reads otherwise than they look

    def line(self, file: str, loc: Loc) -> int:
        """The line (from 1) of the deepest part of `loc` that is written in the file."""
        line, here = 1, self.trees.get(file)
        for step in loc:
            if isinstance(here, CommentedMap) and step in here:
                position = here.lc.data.get(step) if here.lc.data else None  # None for what a merge key brought in
            elif isinstance(here, CommentedSeq) and isinstance(step, int) and step < len(here):
                position = here.lc.data.get(step) if here.lc.data else None
            else:
                break
            line = position[0] + 1 if position else line
            here = here[step]
        return line

    def located(self, problem: Problem) -> Problem:
        """The problem with its line; a fault in a whole file stands on its first line."""
        return problem if problem.line else replace(problem, line=self.line(problem.file, problem.loc))


def load(directory: Path) -> Catalog:
    """The catalog of a directory; raises CatalogError with every problem as `file:line: path: message`."""
    documents = read(directory)
    problems = documents.problems + problems_of(documents.data, documents.unread)
    if problems:
        located = sorted(map(documents.located, problems), key=lambda problem: (problem.file, problem.line))
        raise CatalogError(tuple(str(problem) for problem in located))
    return compile_document(documents.data)


def read_texts(files: Mapping[str, str | bytes]) -> Documents:
    """The same as `read` for files that are not on disk, bytes where they are no text; CatalogError where a name or a
    text cannot be a file's."""
    if len(files) > FILES_MAX:
        raise CatalogError((f"catalog:1: files: are {len(files)}, at most {FILES_MAX} make a catalog",))
    with tempfile.TemporaryDirectory(prefix="segue-catalog-") as folder:
        home = Path(folder).resolve()
        for file, text in files.items():
            try:
                _write(home, file, text)
            except (OSError, ValueError):  # a name that no file can have, or a folder's, or text that UTF-8 cannot hold
                raise CatalogError(
                    (f"{file[:_NAME_CHARS_MAX]!r}:1: file: no such file belongs to a catalog",)
                ) from None
        return read(home)


def _write(home: Path, file: str, text: str | bytes) -> None:
    if not file or len(file) > _NAME_CHARS_MAX:
        raise ValueError(file)
    path = (home / file).resolve()  # a name with `..` must not leave the folder
    if not path.is_relative_to(home) or path == home:
        raise ValueError(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


def read(directory: Path) -> Documents:
    """Every file of a catalog as plain data, by its name relative to `directory`."""
    documents = Documents()
    for path in _files(directory, documents):
        file = path.relative_to(directory).as_posix()
        try:
            if schema.is_beside_models(file):
                documents.data[file] = _bytes(path)
                continue
            text = _text(path)
            if file.startswith("templates/"):
                documents.data[file] = text
            else:
                documents.trees[file] = tree = _tree(text)
                documents.data[file] = _Plain().of(tree, ())
                documents.warnings += yaml_doubts.doubts(file, tree, text)
        except _Fault as fault:
            documents.trees.pop(file, None)
            _set_aside(documents, Problem(file, fault.loc or ("yaml",), fault.message, fault.line))
        except (YAMLError, ValueError, RecursionError) as error:
            documents.trees.pop(file, None)
            _set_aside(documents, Problem(file, ("yaml",), f"cannot be read: {_one_line(error)}", 1))
    return documents


class _Fault(Exception):
    """The reason why a file cannot be read."""

    def __init__(self, message: str, loc: Loc = (), line: int = 1) -> None:
        super().__init__(message, loc, line)
        self.message, self.loc, self.line = message, loc, line


def _tree(text: str) -> Any:
    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.Scanner, yaml.Composer = _Shallow, _Bounded
    try:
        tree = yaml.load(text)
    except MarkedYAMLError as error:
        message, line = yaml_words.of_error(error, text)
        raise _Fault(message, ("yaml",), line) from None
    except ValueError as error:
        message, line = yaml_words.of_value(error, text)
        raise _Fault(message, ("yaml",), line) from None
    if isinstance(tree, str):
        raise _Fault("has no line with a key: a colon and a space stand between key and value, id: offer", ("yaml",))
    return tree


class _Shallow(RoundTripScanner):
    """Refuses brackets that are nested too deeply before they are scanned: each one costs ruamel a look at all that are
    open."""

    def fetch_flow_collection_start(self, TokenClass: Any, to_push: str) -> None:
        if len(self.flow_context) >= DEPTH_MAX:
            line = self.reader.get_mark().line + 1
            raise _Fault(f"is nested deeper than {DEPTH_MAX} levels", ("yaml",), line)
        super().fetch_flow_collection_start(TokenClass, to_push)


class _Bounded(Composer):
    """Composes no more, and no deeper, than a file can reasonably hold: ruamel's reader is slow, and recursive."""

    def __init__(self, loader: Any = None) -> None:
        super().__init__(loader=loader)
        self._nodes = self._depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self._nodes += 1
        self._depth += 1
        if self._nodes > FILE_NODES_MAX or self._depth > DEPTH_MAX:
            line = self.parser.peek_event().start_mark.line + 1
            if self._depth > DEPTH_MAX:
                raise _Fault(f"is nested deeper than {DEPTH_MAX} levels", ("yaml",), line)
            raise _Fault(f"holds more than {FILE_NODES_MAX} values: split the file", ("yaml",), line)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


def _set_aside(documents: Documents, problem: Problem) -> None:
    documents.problems.append(problem)
    documents.unread.add(problem.file)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _files(directory: Path, documents: Documents) -> Iterator[Path]:
    """The files that make a catalog, in order of name. Any other file becomes a problem."""
    if not directory.is_dir():
        raise CatalogError((f"{directory}:1: directory: there is no such directory",))
    try:
        paths = sorted(path for path in directory.rglob("*") if not _is_beside(path.relative_to(directory)))
    except OSError as error:
        raise CatalogError((f"{directory}:1: directory: cannot be read: {error.strerror}",)) from None
    for path in paths:
        file = path.relative_to(directory).as_posix()
        if path.is_dir():
            continue
        is_template = file.startswith("templates/") and path.suffix in _TEMPLATE_KINDS
        if file == schema.OPERATOR:
            message = "is kept by the engine: write `status` in a journey's or an action's file, or use `segue journey`"
            documents.problems.append(Problem(file, ("file",), message, 1))
        elif is_template or schema.model_of(file) or schema.is_beside_models(file):
            yield path
        else:
            message = f"no such file belongs to a catalog{other_name(file)}"
            documents.problems.append(Problem(file, ("file",), message, 1))


def _is_beside(path: Path) -> bool:
    """Notes, files that editors and systems leave behind, generated schemas, and playbooks (each a catalog of its
    own)."""
    hidden = any(part.startswith(".") or part.endswith("~") for part in path.parts)
    is_left = _LEFT.fullmatch(path.name) is not None
    return hidden or is_left or path.parts[0] in _BESIDE or path.suffix == ".md"


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise _Fault("is larger than 1 MB", ("file",))
        return path.read_bytes()
    except OSError as error:
        raise _Fault(f"cannot be read: {error.strerror}", ("file",)) from None


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise _Fault("is larger than 1 MB", ("file",))
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise _Fault("is not text in UTF-8", ("file",), line) from None
    except OSError as error:
        raise _Fault(f"cannot be read: {error.strerror}", ("file",)) from None


class _Plain:
    """Turns ruamel's tree into plain data. It is bounded, because aliases can make a huge tree of a small file."""

    def __init__(self) -> None:
        self.nodes = 0

    def of(self, node: Any, loc: Loc, line: int = 1) -> Any:
        self.nodes += 1
        if self.nodes > _MEANT_NODES_MAX or len(loc) > DEPTH_MAX:
            raise _Fault("is nested too deeply, or repeats itself too often", ("yaml",), line)
        if isinstance(node, Mapping):
            return {
                self._key(key, loc, node): self.of(value, (*loc, key), _line(node, key, line))
                for key, value in node.items()
            }
        if isinstance(node, list):
            return [self.of(value, (*loc, i), _line(node, i, line)) for i, value in enumerate(node)]
        return self._scalar(node, loc, line)

    def _key(self, key: Any, loc: Loc, node: Any) -> str:
        if not isinstance(key, str):
            raise _Fault(yaml_words.of_key(key), loc, _line(node, key, 1))
        return str(key)

    def _scalar(self, node: Any, loc: Loc, line: int) -> Any:
        if node is None or isinstance(node, bool):
            return node
        if isinstance(node, ScalarBoolean):
            return bool(node)
        if isinstance(node, str):
            return str(node)
        if isinstance(node, int | float):
            if not abs(node) < 2**63:  # nan is not less than anything
                raise _Fault("is a number out of bounds", loc, line)
            return int(node) if isinstance(node, int) else float(node)
        if isinstance(node, date):
            return node.isoformat() if not isinstance(node, datetime) else str(node)
        raise _Fault(yaml_words.of_tagged(node), loc, line)


def _line(node: Any, key: Any, default: int) -> int:
    position = node.lc.data.get(key) if getattr(node, "lc", None) is not None and node.lc.data else None
    return position[0] + 1 if position else default
