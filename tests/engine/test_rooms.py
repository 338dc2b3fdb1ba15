"""The rooms of the engine stand in one order, and each knows only those before it.

So a rule can be read with what lies below it in mind, and nothing above. A new room gets its place here; where two
orders are possible, the one is right in which less has to be known.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ENGINE = Path(__file__).resolve().parents[2] / "engine"
PAGE = ENGINE.parent / "docs/architecture.md"

# Folders and modules right below `engine/`. Rooms of one line do not know each other.
ORDER = (
    ("errors", "transitions", "vocabulary"),
    ("seeds", "values"),  # what a word means by itself: an identifier, an amount, a time, a path
    ("recent_events", "texts"),
    ("matching",),  # how likely two records are one person
    ("parts",),  # pieces of that state
    ("profile",),  # the state of one customer
    ("conditions", "told"),  # what may be asked of a customer; messages that profiles tell one another
    ("inputs",),  # what a customer can be told
    ("codec", "propensity"),
    ("audit", "catalog"),  # what `configs/` says, ready to decide by
    ("contact", "effects"),  # whether and where a person may be reached
    ("occasions",),  # when times come round where they are
    ("view",),  # a customer under a catalog: what conditions read
    ("explain", "turn_state"),  # from here on rules can write
    ("consent", "limits"),
    ("frequency",),
    ("identity",),
    ("likeness",),  # who may be the same person
    ("decide", "handoffs"),
    ("sends",),
    ("clashes", "journeys"),  # stories that show how journeys clash; the interpreter of journeys
    ("events",),
    ("merging", "readings"),
    ("splitting",),
    ("turn",),
)
# The same within the catalog; what stands in none of these is the compiled catalog, and what makes it.
CATALOG_ORDER = ("schema", "checks", "advice")


def modules() -> list[str]:
    return sorted(path.relative_to(ENGINE).as_posix() for path in ENGINE.rglob("*.py"))


def imported(module: str) -> Iterator[tuple[str, ...]]:
    """What a module imports of the engine, wherever in it, as the parts behind `engine`."""
    for node in ast.walk(ast.parse((ENGINE / module).read_text("utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        yield from (tuple(name.split(".")[1:]) for name in names if name.split(".")[0] == "engine")


def room_of(module: str) -> str:
    return module.split("/")[0].removesuffix(".py")


def layer_of(room: str) -> int:
    found = [layer for layer, rooms in enumerate(ORDER) if room in rooms]
    assert found, f"engine/{room} has no place in the order of rooms"
    return found[0]


@pytest.mark.parametrize("module", [module for module in modules() if module != "__init__.py"])
def test_a_room_knows_only_the_rooms_before_it(module: str):
    room = room_of(module)
    others = {name[0] for name in imported(module)} - {room}
    assert {other for other in others if layer_of(other) >= layer_of(room)} == set()


@pytest.mark.parametrize("module", [module for module in modules() if module.startswith("catalog/")])
def test_a_room_of_the_catalog_knows_only_the_rooms_before_it(module: str):
    room = module.split("/")[1]
    if room in CATALOG_ORDER:
        within = {name[1] for name in imported(module) if name[0] == "catalog" and len(name) > 2}
        assert within & set(CATALOG_ORDER) <= set(CATALOG_ORDER[: CATALOG_ORDER.index(room) + 1])


def test_every_room_of_the_order_is_there():
    assert {room for rooms in ORDER for room in rooms} == {room_of(module) for module in modules()} - {"__init__"}


def test_the_page_of_the_house_has_every_room_in_its_place():
    rows = re.findall(r"^\| (`engine/[^|]*) \|", PAGE.read_text("utf-8"), re.MULTILINE)
    rooms = [room for row in rows for room in re.findall(r"`engine/(\w+)(?:/|\.py)`", row)]
    assert sorted(rooms) == sorted(room for rooms in ORDER for room in rooms)
    assert [layer_of(room) for room in rooms] == sorted(layer_of(room) for room in rooms)
