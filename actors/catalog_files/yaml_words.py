"""Explains to an author why a YAML file cannot be read: the line, and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ruamel.yaml.error import MarkedYAMLError

_KEY: Final = re.compile(r"([\w.$-]+):\s+(?=\S)")
_BRACES: Final = re.compile(r"(?:[:,\[]|^\s*-)\s*\{\{")
_DATE: Final = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
_BRACKETS: Final = {"[": "]", "{": "}"}
_ELSE: Final = "cannot be read: look at the indentation, the quotes and the brackets of this line and the one above"
_INDENTED: Final = "is indented otherwise than the lines that it belongs with"
_OTHER_QUOTE: Final = {"'": '"', '"': "'"}
_OPEN: Final = "is opened here and closed nowhere"


@dataclass(frozen=True, slots=True)
class _Fault:
    """Lines count from 0."""

    problem: str
    lines: list[str]
    line: int
    column: int
    opened: int  # where the part begins that cannot be read

    @property
    def row(self) -> str:
        return self.lines[self.line] if self.line < len(self.lines) else ""

    @property
    def found(self) -> str:
        """The token that was found in the place of the expected one."""
        found = re.search(r"'([^']*)'$", self.problem)
        return found[1] if found else ""


_Said = tuple[str, int] | None


def of_error(error: MarkedYAMLError, text: str) -> tuple[str, int]:
    """The explanation of an error, and its line (from 1)."""
    mark = error.problem_mark or error.context_mark
    lines = text.splitlines() or [""]
    line = min(mark.line, len(lines) - 1) if mark else 0
    opened = error.context_mark.line if error.context_mark else line
    fault = _Fault(
        " ".join(str(error.problem or error.context).split()), lines, line, mark.column if mark else 0, opened
    )
    for look in _LOOKS:
        said = look(fault)
        if said is not None:
            return said[0], said[1] + 1
    return _ELSE, line + 1


def of_value(error: ValueError, text: str) -> tuple[str, int]:
    """The same for an impossible value, mostly a day that no calendar has."""
    for number, line in enumerate(text.splitlines(), 1):
        found = _DATE.search(line)
        if (found is not None and "month" in str(error)) or (found is not None and "day" in str(error)):
            return f"there is no such day: {found[0]}", number
    return f"cannot be read: {' '.join(str(error).split())}", 1


def of_key(key: Any) -> str:
    """The fault of a key that is no text."""
    if isinstance(key, Mapping):
        inner = next(iter(key), "…")
        return f'a text that begins with {{{{ stands in quotes: "{{{{ {inner} }}}}"'
    return f"the key {str(key)[:40]} is no text: put it in quotes"


def of_tagged(value: Any) -> str:
    """The fault of a value that YAML takes for one of a special kind."""
    kind = str(getattr(value, "tag", "") or "")
    if kind.startswith("!"):
        return f'a text that begins with ! stands in quotes: "{kind}{f" {value}" if str(value) else ""}"'
    return "is no text, number, truth value or date: put it in quotes"


def _of_braces(fault: _Fault) -> _Said:
    for number in range(fault.opened, fault.line + 1):
        line = fault.lines[number]
        if _BRACES.search(line):
            found = re.search(r"([\w-]+:\s*)?(\{\{.*?\}\}[^,}\]]*)", line)
            mend = f'{found[1] or ""}"{found[2].strip()}"' if found else '"{{ … }}"'
            return f"a text that begins with {{{{ stands in quotes: {mend}", number
    return None


def _of_tab(fault: _Fault) -> _Said:
    if "\t" in fault.row[: len(fault.row) - len(fault.row.lstrip())] or "'\\t'" in fault.problem:
        return "begins with a tab: indent with spaces", fault.line
    return None


def _of_twice(fault: _Fault) -> _Said:
    found = re.match(r'found duplicate key "(.*?)"', fault.problem)
    return (f"{found[1]} stands here a second time: only one can hold", fault.line) if found else None


def _of_more(fault: _Fault) -> _Said:
    if "found another document" not in fault.problem:
        return None
    return "--- begins another file: each action and each journey has a file of its own", fault.line


def _of_sign(fault: _Fault) -> _Said:
    """A text that begins with a sign that has a meaning in YAML."""
    found = re.match(r"found (?:character '(.)' that cannot start|undefined alias)", fault.problem)
    is_block = "chomping or indentation" in fault.problem
    is_loose = fault.problem.startswith("expected the node content") and fault.found in (",", "]", "}")
    if not (found or is_block or is_loose):
        return None
    if fault.row[fault.column :].startswith("%") and "{%" in fault.row:
        return f"a text that begins with {{% stands in quotes: {_quoted(fault)}", fault.line
    sign = (
        found[1] if found and found[1] else "*" if found else fault.row[fault.column - 1] if is_block else fault.found
    )
    return f"a text that begins with {sign} stands in quotes: {_quoted(fault)}", fault.line


def _of_quote(fault: _Fault) -> _Said:
    if "unexpected end of stream" in fault.problem:
        return f"a quote {_OPEN}", fault.opened
    if "unknown escape character" in fault.problem:
        return "in a text in \"…\" a backslash is written \\\\, or put the text in '…'", fault.line
    quote = fault.row[fault.column - 1 : fault.column]
    if fault.found == "<scalar>" and quote in _OTHER_QUOTE:
        other = _OTHER_QUOTE[quote]
        return f"the text ends at its second {quote}: put a text with a {quote} in it in {other}…{other}", fault.line
    if fault.found == "<scalar>" and fault.row[: fault.column].rstrip().endswith(("'", '"')):
        return "goes on behind the closing quote: all of a text stands in its quotes", fault.line
    return None


def _of_bracket(fault: _Fault) -> _Said:
    is_flow = fault.problem.startswith("expected ',' or")
    if not is_flow and not (fault.problem.startswith("expected the node content") and fault.found == "<stream end>"):
        return _of_closing(fault)
    opening = "[" if "']'" in fault.problem else "{"
    if fault.found in ("<stream end>", "<block end>") or fault.line > fault.opened:
        line, bracket = _left_open(fault.lines)
        return f"a {bracket or opening} {_OPEN}", line
    if fault.found in _BRACKETS.values():
        return f"a {opening} is closed with {fault.found}", fault.line
    if fault.found == ":":
        return (
            f"a comma is missing in {{ … }}, or a text with a colon in it is not in quotes: {fault.row.strip()}",
            fault.line,
        )
    return f"a comma is missing in {opening} … {_BRACKETS[opening]}", fault.line


def _of_closing(fault: _Fault) -> _Said:
    if fault.problem.startswith("expected <block end>") and fault.found in _BRACKETS.values():
        return f"a {fault.found} closes what nothing has opened", fault.line
    return None


def _left_open(lines: list[str]) -> tuple[int, str]:
    """The line of the innermost bracket that is not closed, and the bracket."""
    waiting: list[tuple[int, str]] = []
    for number, line in enumerate(lines):
        for sign in re.sub(r"\"[^\"]*\"|'[^']*'|(^|\s)#.*", "", line):
            if sign in _BRACKETS:
                waiting.append((number, sign))
            elif sign in _BRACKETS.values() and waiting:
                waiting.pop()
    return waiting[-1] if waiting else (len(lines) - 1, "")


def _of_colon(fault: _Fault) -> _Said:
    if "could not find expected ':'" in fault.problem:
        return _no_colon(fault, fault.opened)
    if not fault.problem.startswith("mapping values are not allowed"):
        return None
    if any(key.end() <= fault.column for key in _KEY.finditer(fault.row)):
        return f"a text with a colon in it stands in quotes: {_quoted(fault)}", fault.line
    above = max((n for n in range(fault.line) if fault.lines[n].strip()), default=0)
    if fault.line and ":" not in fault.lines[above]:
        return _no_colon(fault, above)
    return _INDENTED, fault.line


def _no_colon(fault: _Fault, line: int) -> _Said:
    key, _, value = re.sub(r"^(\s*- )*\s*", "", fault.lines[line]).replace(":", " ").partition(" ")
    mend = f"{key}: {value.strip()}".strip()
    return f"has no colon with a space behind it: {mend}", line


def _of_place(fault: _Fault) -> _Said:
    before = fault.row[: fault.column].rstrip()
    if found := re.match(r"\s*(?:- )*([\w-]+):\s+((?:\[.*\]|\{.*\})\s*)$", fault.row[: fault.column]):
        text = f"{found[2]}{fault.row[fault.column :]}".strip()
        return f'a text that begins with {text[0]} stands in quotes: {found[1]}: "{text}"', fault.line
    if fault.problem.startswith("sequence entries are not allowed"):
        if before.endswith(":") and fault.row[fault.column :].startswith("- "):
            text = fault.row[fault.column :].strip()
            key = before.split()[-1]
            return (
                f'a list begins on a line of its own, and a text with a - in front stands in quotes: {key} "{text}"',
                fault.line,
            )
        return "a list begins on a line of its own", fault.line
    if fault.problem.startswith("expected <block end>"):
        return _INDENTED, fault.line
    return None


def _quoted(fault: _Fault) -> str:
    """The value at the fault, with its key, as it should be."""
    keys = [found for found in _KEY.finditer(fault.row) if found.end() <= fault.column]
    if not keys:
        return '"…"'
    value = fault.row[keys[-1].end() :].strip()
    if "{" in fault.row[: keys[-1].start()]:
        value = re.split(r"[,}]", value)[0].strip()
    quote = "'" if '"' in value else '"'
    return f"{keys[-1][1]}: {quote}{value}{quote}"


# In this order: the first that has an explanation is taken.
_LOOKS: Final[tuple[Callable[[_Fault], _Said], ...]] = (
    _of_braces,
    _of_tab,
    _of_twice,
    _of_more,
    _of_sign,
    _of_quote,
    _of_bracket,
    _of_colon,
    _of_place,
)
