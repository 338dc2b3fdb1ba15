"""The page for marketers holds what it says: its files are proved, and its sentences are those that are said."""

from __future__ import annotations

import re
from contextlib import nullcontext
from pathlib import Path

import pytest
from support.marketing import FILES, said
from support.world import YES_TO_MAIL, World

from actors.catalog_files import config_files
from actors.catalog_proof import proof

SHIPPED = Path(__file__).parents[1] / "configs"
PAGE = (Path(__file__).parents[1] / "docs" / "for-marketers.md").read_text("utf-8")
CAMPAIGN = dict(re.findall(r"^`([a-z]+/\w+\.\w+)`\n\n```\w+\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL))


def test_the_campaign_of_the_page_is_taken_without_a_word() -> None:
    assert sorted(CAMPAIGN) == ["actions/winback.yaml", "journeys/winback.yaml", "templates/winback.html"]
    assert said(FILES | CAMPAIGN) == []


@pytest.mark.parametrize(
    ("file", "right", "wrong"),
    [("actions/winback.yaml", "value:", "valu:"), ("journeys/winback.yaml", "{event: Order", "{event: Ordr")],
)
def test_the_answers_that_the_page_shows_are_those_that_come(file: str, right: str, wrong: str) -> None:
    shown = [line for line in PAGE.splitlines() if line.startswith((f"{file}:", f"warning: {file}:"))]
    assert said(FILES | CAMPAIGN | {file: CAMPAIGN[file].replace(right, wrong, 1)}) == shown


def test_the_sentences_of_typical_mistakes_are_said_as_the_page_has_them() -> None:
    mistakes = (Path(__file__).parent / "actors" / "catalog_proof" / "test_marketers_mistakes.py").read_text("utf-8")
    told = re.sub(r"['\"\\\s]", "", mistakes)
    rows = re.findall(r"^\| `(.*?)` \|", PAGE.partition("## What typical mistakes say")[2].partition("## See")[0], re.M)
    assert len(rows) > 15
    for row in rows:
        if "cannot be written" not in row:
            for part in row.split("…"):
                assert re.sub(r"['\"\\\s]", "", part) in told or "Hello: you" in part or "traits.name" in part, row


def test_the_sentences_about_one_journey_are_said_as_the_page_has_them() -> None:
    tests = [
        *Path(__file__).parent.glob("engine/clashes/*.py"),
        *Path(__file__).parent.glob("actors/catalog_proof/*.py"),
    ]
    told = re.sub(r"['\"\\\s]", "", "".join(path.read_text("utf-8") for path in tests))
    section = PAGE.partition("### What a journey does wrong by itself")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*?`) \|", section, re.MULTILINE)
    assert len(rows) > 10
    for row in rows:
        for part in re.split("…|`, `", row.strip("`")):
            assert re.sub(r"['\"\\\s`]", "", part) in told, part


def test_the_story_of_the_page_is_what_the_shop_would_hear_without_its_stop() -> None:
    files = _shipped_with_the_campaign()
    policies = [line for line in files["policies.yaml"].splitlines() if "id: purchase, on" not in line]
    files["policies.yaml"] = "\n".join("stops: []" if line == "stops:" else line for line in policies)
    proved = proof.prove(config_files.read_texts(files), {}, rehearsing=nullcontext())
    told = next(each for each in proved.findings if each.kind == "warning")
    assert told.witness is not None
    assert "\n".join([f"warning: {told}", *(f"    {line}" for line in told.witness.lines)]) in PAGE


def _shipped_with_the_campaign() -> dict[str, str]:
    files = {path.relative_to(SHIPPED).as_posix(): path for path in SHIPPED.rglob("*.*")}
    shipped = {
        name: path.read_text("utf-8")
        for name, path in files.items()
        if path.suffix in (".yaml", ".html") or path.parent.name == "models"
    }
    return shipped | CAMPAIGN


def test_the_campaign_of_the_page_is_taken_into_the_shipped_catalog_without_a_word() -> None:
    assert proof.of_texts(_shipped_with_the_campaign(), {}).warnings == ()


def test_the_campaign_of_the_page_writes_sixty_days_after_the_last_order() -> None:
    world = World(config_files.read_texts(_shipped_with_the_campaign()).data)
    bob = world.customer("bob@shop.example", consents=YES_TO_MAIL)
    bob.does("Order Completed", order_id="1", total=20)
    world.advance(days=40)
    bob.does("Order Completed", order_id="2", total=30)
    world.advance(days=59, hours=23)
    assert "winback" not in bob.sends
    world.advance(hours=2)
    assert bob.sends.count("winback") == 1
    world.advance(days=200)
    assert bob.sends.count("winback") == 1
