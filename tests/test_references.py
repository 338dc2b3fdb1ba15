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
HISTORY = ("docs/decisions/",)  # records keep the words and the places of their day
SELF = "tests/test_references.py"  # shows what it refuses


def texts() -> list[str]:
    """Everything that people read, as paths from the root."""
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "Makefile", ROOT / "pyproject.toml"]
    code = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    data = (ROOT / "configs").rglob("*.yaml")
    return sorted(path.relative_to(ROOT).as_posix() for path in (*pages, *code, *data))


TEXTS = [text for text in texts() if text != SELF]
TODAY = [text for text in TEXTS if not text.startswith(HISTORY)]


def found(text: str, pattern: str) -> Iterator[tuple[str, re.Match[str]]]:
    """Each match with the line that it stands on, as `file:line`."""
    content = (ROOT / text).read_text("utf-8")
    for match in re.finditer(pattern, content):
        yield f"{text}:{content.count(chr(10), 0, match.start()) + 1}", match


# -- pages

PAGE = r"\bdocs/(?:[\w-]+/)*[\w-]+\.md(?:#([\w-]+))?"


@pytest.mark.parametrize("text", TEXTS)
def test_a_page_that_is_named_is_there_and_so_is_its_heading(text: str):
    for where, match in found(text, PAGE):
        page = ROOT / match[0].partition("#")[0]
        assert page.exists(), f"{where} names {match[0]}"
        assert not match[1] or match[1] in anchors(page), f"{where} names {match[0]}"


# Files of others, which are written or read elsewhere: no pages of ours.
NO_PAGES = {"00XX-title.md", "NNNN-title.md"}


@pytest.mark.parametrize("text", TEXTS)
def test_no_page_is_cited_that_is_not_in_the_repository(text: str):
    for where, match in found(text, r"(?<![\w/.-])((?:\.\./|[\w-]+/)*[\w-]+\.md)\b"):
        places = (ROOT, ROOT / "docs", (ROOT / text).parent)
        assert match[1] in NO_PAGES or any((place / match[1]).exists() for place in places), f"{where} cites {match[1]}"


CITED_FROM_OUTSIDE = {
    r"\bdesign §": "a design that is not here",
    r"\bmissions? [A-Z]\d": "a mission that is not here",
    r"\([A-Z]\d{1,2}\)": "a number of a list that is not here",
    r"§ ?\d": "a paragraph of a page that is not here",
}


@pytest.mark.parametrize("text", TEXTS)
def test_nothing_is_cited_that_a_reader_cannot_open(text: str):
    for pattern, what in CITED_FROM_OUTSIDE.items():
        for where, match in found(text, pattern):
            raise AssertionError(f"{where} cites {what}: {match[0]!r}")


# -- modules


@cache
def names_in(module: Path) -> frozenset[str]:
    """What a module, or one of its classes, calls its own."""
    tree = ast.parse(module.read_text("utf-8"))
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
    return frozenset(names)


def is_there(dotted: str) -> bool:
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


OF_DISK = {"engine.json", "engine.key", "engine.py", "serve.run"}  # files of a data directory; a call of Ray's


@pytest.mark.parametrize("text", TODAY)
def test_a_module_that_is_named_is_there(text: str):
    for where, match in found(text, rf"`((?:{'|'.join(ROOMS)})(?:\.\w+)+)`"):
        assert match[1] in OF_DISK or is_there(match[1]), f"{where} names {match[1]}"


@pytest.mark.parametrize("text", TODAY)
def test_a_path_that_is_named_is_there(text: str):
    for where, match in found(text, rf"`((?:{'|'.join((*ROOMS, 'docs', 'configs'))})/[\w./-]*)`"):
        path = match[1]
        if not any(letter in path for letter in "<*") and not path.startswith("configs/"):
            assert (ROOT / path).exists(), f"{where} names {path}"


# -- records and invariants


@pytest.mark.parametrize("text", TEXTS)
def test_a_decision_record_that_is_named_is_there(text: str):
    for where, match in found(text, r"\b[Rr]ecord (\d{1,4})\b(?! of)"):
        assert list((ROOT / "docs/decisions").glob(f"{int(match[1]):04}-*.md")), f"{where} names record {match[1]}"


def invariants() -> set[int]:
    """The numbers of the invariants, by their headings."""
    page = (ROOT / "docs/invariants.md").read_text("utf-8")
    return {int(number) for number in re.findall(r"^## (\d+)\. ", page, re.MULTILINE)}


@pytest.mark.parametrize("text", TEXTS)
def test_an_invariant_that_is_named_is_one(text: str):
    for where, match in found(text, r"\bInvariants? (\d+(?:(?:, | and )\d+)*)"):
        assert {int(number) for number in re.findall(r"\d+", match[1])} <= invariants(), f"{where} names {match[0]}"


@pytest.mark.parametrize("number", range(1, 13))
def test_each_invariant_names_the_tests_that_try_to_break_it(number: int):
    page = (ROOT / "docs/invariants.md").read_text("utf-8")
    section = page.split(f"\n## {number}. ", 1)[1].split("\n## ", 1)[0]
    code, _, tests = section.partition("**Tried by**")
    assert re.search(r"`(?:engine|actors|serve)/[\w/]+\.py`", code), "no code that carries it"
    assert re.search(r"`tests/[\w/]+\.py`", tests), "no test that tries to break it"


def test_the_tests_of_this_file_see_something():
    """A pattern that matches nothing would let everything pass."""
    assert any(list(found(text, PAGE)) for text in TODAY)
    assert is_there("engine.turn.handle") and not is_there("engine.turn.hande") and not is_there("engine.purses")
    assert {1, 12} <= invariants()
