"""The documents must not fall behind the code."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine import vocabulary
from engine.catalog.schema.files import json_schemas
from engine.decide.gates.order import GATES

ROOT = Path(__file__).resolve().parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
REFERENCE = (ROOT / "docs/reference.md").read_text("utf-8")
REASONS = (ROOT / "docs/reasons.md").read_text("utf-8")

README_LINES_MAX = 150
RECORD_LINES_MAX = 60  # a page


def commands() -> dict[str, Any]:
    """The commands of `segue` by name."""
    if not (ROOT / "serve/cli.py").exists():
        pytest.skip("serve/cli.py is not written yet")
    import typer

    from serve.cli import app

    group: Any = typer.main.get_command(app)
    context = typer.Context(group)
    return {name: group.get_command(context, name) for name in group.list_commands(context)}


def test_every_command_is_in_the_reference():
    missing = [name for name in commands() if f"`segue {name}" not in REFERENCE]
    assert missing == []


def test_every_option_of_a_command_is_in_the_reference():
    known = {
        (name, option)
        for name, command in commands().items()
        for parameter in command.params
        for option in parameter.opts
        if option.startswith("--") and option != "--help"
    }
    rows = [row for row in REFERENCE.splitlines() if row.startswith("| `--")]
    missing = [
        f"{name} {option}"
        for name, option in sorted(known)
        if not any(re.match(rf"\| `{option}[ `].*`{name}`", row) for row in rows)
    ]
    assert missing == []


def routes() -> set[str]:
    """The paths that clients may ask, as patterns."""
    from serve.openapi import application
    from serve.openapi.hot_routes import HOT

    included = [route for module in application._MODULES for route in module.router.routes]
    return {route.path for route in included if route.include_in_schema} | set(HOT)


@pytest.mark.parametrize("path", sorted(routes()))
def test_every_route_is_in_the_reference(path: str):
    pattern = re.sub(r"\\{\w+\\}", r"[^`/?]+", re.escape(path))
    assert re.search(rf"`(?:[A-Z]+ )?{pattern}[`?]", REFERENCE), f"{path} stands in no table of docs/reference.md"


def fields(schema: Any) -> Iterator[str]:
    """Every name of a property in a JSON Schema, however deep."""
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "properties" and isinstance(value, dict):
                yield from value
            yield from fields(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from fields(value)


def test_every_field_of_the_configuration_is_in_the_reference():
    configuration = REFERENCE[REFERENCE.index("## Configuration") : REFERENCE.index("## Environment variables")]
    words = {word for code in re.findall(r"`([^`]+)`", configuration) for word in re.findall(r"\w+", code)}
    assert sorted(set(fields(json_schemas())) - words) == []


# The first word of each reason that a gate gives.
GATE_WORDS = sorted({reason.partition(".")[0] for gate in GATES for reason in gate.reasons})


@pytest.mark.parametrize("gate", GATE_WORDS)
def test_every_gate_is_among_the_reasons(gate: str):
    assert re.search(rf"^\| `{gate}[.`]", REASONS, re.MULTILINE)


OUTCOMES = {*typing.get_args(vocabulary.Outcome), *typing.get_args(vocabulary.SendState)}


@pytest.mark.parametrize("outcome", sorted(OUTCOMES))
def test_every_outcome_is_among_the_reasons(outcome: str):
    assert re.search(rf"^\| `{outcome}` \|", REASONS, re.MULTILINE)


def reasons_in_code() -> set[str]:
    """Reasons that stand in the engine as they are, and the first word of those that are put together."""
    words = "|".join((*GATE_WORDS, "merge", "limit"))
    found: set[str] = set()
    for path in (ROOT / "engine").rglob("*.py"):
        text = path.read_text("utf-8")
        found |= set(re.findall(rf'"((?:{words})\.(?!yaml)[a-z_]+)"', text))
        found |= {f"{head}.<" for head in re.findall(rf'f"((?:{words}))\.{{', text)}
        found |= {f"{head}<" for head in re.findall(rf'f"((?:{words})\.[a-z_]+){{', text)}
    return found


def test_every_reason_that_the_engine_gives_is_explained():
    found = reasons_in_code()
    assert {"validity.over", "stop.<", "fit.no_<"} <= found, "this test has gone blind"
    assert sorted(reason for reason in found if f"`{reason}" not in REASONS) == []


def test_the_readme_stays_short():
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= README_LINES_MAX


@pytest.mark.parametrize("record", sorted((ROOT / "docs/decisions").glob("*.md")), ids=lambda path: path.stem)
def test_a_decision_record_is_a_page_with_its_four_parts(record: Path):
    text = record.read_text("utf-8")
    assert len(text.splitlines()) <= RECORD_LINES_MAX
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Turned down", "Consequences"]
    assert text.startswith(f"# {int(record.stem[:4])}. ")
    assert record.name in (ROOT / "docs/index.md").read_text("utf-8")


def anchors(page: Path) -> set[str]:
    """What `#…` may follow a page's name: its headings, in lower case, with dashes."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{page.name} links to {target}"
        assert found.is_relative_to(ROOT), f"{page.name} links out of the repository: {target}"
        assert not anchor or anchor in anchors(found), f"{page.name} links to {target}"
