"""What a text points at is there: pages, headings, modules, decision records, invariants.

Comments, docstrings, pages and configuration are read alike. A text may cite nothing that is outside the repository.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.test_docs import anchors

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("engine", "actors", "serve", "loadtest", "tests")
SELF = "tests/test_references.py"  # shows what it refuses
HISTORY = "docs/decisions/"  # records keep the words and the places of their day


def texts() -> list[str]:
    """Everything that people read, as paths from the root."""
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "Makefile", ROOT / "pyproject.toml"]
    code = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    data = (ROOT / "configs").rglob("*.yaml")
    return sorted(path.relative_to(ROOT).as_posix() for path in (*pages, *code, *data))


TEXTS = [text for text in texts() if text != SELF]
TODAY = [text for text in TEXTS if not text.startswith(HISTORY)]


@cache
def content(text: str) -> str:
    return (ROOT / text).read_text("utf-8")


def found(pattern: str, where: list[str]) -> Iterator[tuple[str, re.Match[str]]]:
    """Each match with the place where it stands, as `file:line`."""
    for text in where:
        for match in re.finditer(pattern, content(text)):
            yield f"{text}:{content(text).count(chr(10), 0, match.start()) + 1}", match


# -- pages

PAGE = r"\bdocs/(?:[\w-]+/)*[\w-]+\.md(?:#([\w-]+))?"
EXAMPLES = {"00XX-title.md", "NNNN-title.md"}  # the form of a name


def leads_somewhere(reference: str) -> bool:
    """Whether `docs/page.md#heading` is there, and the heading in it."""
    path, _, anchor = reference.partition("#")
    return (ROOT / path).exists() and (not anchor or anchor in anchors(ROOT / path))


def test_a_page_that_is_named_is_there_and_so_is_its_heading():
    named = ((place, match[0]) for place, match in found(PAGE, TEXTS) if Path(match[0]).name not in EXAMPLES)
    assert [(place, page) for place, page in named if not leads_somewhere(page)] == []


def test_no_page_is_cited_that_is_not_in_the_repository():
    missing = []
    for place, match in found(r"(?<![\w/.-])((?:\.\./|[\w-]+/)*[\w-]+\.md)\b", TEXTS):
        folders = (ROOT, ROOT / "docs", ROOT / "serve/templates", ROOT / Path(place).parent)
        is_there = any((folder / match[1]).exists() for folder in folders)
        if not is_there and Path(match[1]).name not in EXAMPLES:
            missing.append((place, match[1]))
    assert missing == []


@pytest.mark.parametrize("pattern", [r"\bdesign §", r"\bmissions? [A-Z]\d", r"\([A-Z]\d{1,2}\)", r"§ ?\d"])
def test_nothing_is_cited_by_a_number_of_a_list_that_no_reader_can_open(pattern: str):
    assert [(place, match[0]) for place, match in found(pattern, TEXTS)] == []


# -- modules


@cache
def names_in(module: Path) -> frozenset[str]:
    """What a module, or one of its classes, makes: not what it imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return frozenset(names)


def is_module(dotted: str) -> bool:
    """Whether `room.module` or `room.module.Name` leads to something."""
    place = ROOT
    parts = dotted.split(".")
    for index, part in enumerate(parts):
        if (place / part).is_dir():
            place /= part
        elif (place / f"{part}.py").exists():
            return set(parts[index + 1 :]) <= names_in(place / f"{part}.py")
        else:
            return False
    return True


NO_MODULES = {"engine.json", "engine.key", "engine.py", "serve.run", "serve.ingress"}  # files of others; calls of Ray's


def test_a_module_that_is_named_is_there():
    named = found(rf"`((?:{'|'.join(ROOMS)})(?:\.\w+)+)`", TODAY)
    assert [(place, match[1]) for place, match in named if match[1] not in NO_MODULES and not is_module(match[1])] == []


def test_a_path_that_is_named_is_there():
    rooms = "|".join((*ROOMS, "docs"))
    in_marks, bare = rf"`((?:{rooms})/[\w./-]*)`", rf"(?<![\w/.-])((?:{rooms})/[\w/-]+\.py)\b"
    named = ((place, match[1]) for pattern in (in_marks, bare) for place, match in found(pattern, TODAY))
    missing = [(place, path) for place, path in named if not ((ROOT / path).exists() or Path(path).name in EXAMPLES)]
    assert [(place, path) for place, path in missing if "/_private/" not in path] == []  # those are Ray's


def test_a_name_that_is_said_to_be_in_a_module_is_in_it():
    path = rf"`((?:{'|'.join(ROOMS)})/[\w/]+\.py)`"
    behind = ((place, match[2], match[1]) for place, match in found(rf"{path} \(`(\w+)`\)", TODAY))
    before = ((place, match[1], match[2]) for place, match in found(rf"`(\w+)` (?:in|of)\s+{path}", TODAY))
    named = [(place, name, ROOT / module) for place, name, module in (*behind, *before)]
    assert [(place, name) for place, name, module in named if module.exists() and name not in names_in(module)] == []


# -- records and invariants


def test_a_decision_record_that_is_named_is_there():
    named = found(r"\b[Rr]ecord (\d{1,4})\b(?! of)", TEXTS)
    records = {int(path.name[:4]) for path in (ROOT / HISTORY).glob("[0-9][0-9][0-9][0-9]-*.md")}
    assert [(place, match[0]) for place, match in named if int(match[1]) not in records] == []


def sections() -> dict[int, str]:
    """The invariants by their numbers, each with what is said of it."""
    parts = re.split(r"^## (\d+)\. ", content("docs/invariants.md"), flags=re.MULTILINE)
    return {int(number): text for number, text in zip(parts[1::2], parts[2::2], strict=True)}


def test_an_invariant_that_is_named_is_one():
    named = found(r"\bInvariants? (\d+(?:(?:, | and )\d+)*)", TEXTS)
    unknown = ((place, set(map(int, re.findall(r"\d+", match[1]))) - set(sections())) for place, match in named)
    assert [(place, numbers) for place, numbers in unknown if numbers] == []


@pytest.mark.parametrize("number", range(1, 13))
def test_each_invariant_names_its_code_and_the_tests_that_try_to_break_it(number: int):
    code, _, tests = sections()[number].partition("**Tried by**")
    assert re.search(r"`(?:engine|actors|serve)/[\w/]+\.py`", code)
    assert re.search(r"`tests/[\w/]+\.py`", tests)


def test_the_tests_of_this_file_see_something():
    """A pattern that matches nothing would let everything pass."""
    assert len(list(found(PAGE, TODAY))) > 20
    assert is_module("engine.turn.handle") and not is_module("engine.turn.hande") and not is_module("engine.purses")
    assert leads_somewhere("docs/invariants.md#3-once") and not leads_somewhere("docs/invariants.md#13-twice")
