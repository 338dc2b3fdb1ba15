"""Two profiles of one person find each other in a running engine, beside everything else, and somebody decides."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.running import Engine, eventually, run_segue, write_catalog

ADA = {"firstName": "Ada", "lastName": "Lovelace", "birthday": "1985-12-10"}
HOME = {"address": {"street": "12 Herschell Circuit", "city": "London", "postalCode": "20095"}}
PERSONALISE = "{at: 0.99, traits: [favourite]}"
MATCHING = f"matching: {{enabled: true, merge_at: 0.99999999, personalise: {PERSONALISE}, review_at: 0.5}}\n"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, shop_files: dict[str, str]) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("matching")
    config = write_catalog(folder / "configs", shop_files | {"identity.yaml": MATCHING})
    started = Engine(folder, config=config)
    try:
        yield started.start()
    finally:
        started.close()


def comes_with_a_card(engine: Engine, card: str, **traits: Any) -> None:
    body = {"context": {"externalIds": [{"id": card, "type": "loyalty_id"}]}, "traits": traits, "messageId": card}
    assert engine.server.post("/v1/identify", json=body).status_code == 200


def test_a_round_links_what_is_alike_and_an_answer_joins_it(engine: Engine, tmp_path: Path):
    comes_with_a_card(engine, "c-1", **ADA, **HOME, favourite="tea")
    comes_with_a_card(engine, "c-2", **ADA)

    def linked() -> dict[str, Any]:
        found = engine.profile("loyalty_id", "c-2")
        assert found["likely"]
        return found

    found = eventually(linked, 90.0)
    assert found["likely"][0]["traits"] == {"favourite": "tea"}
    assert "favourite" not in found["traits"]

    entry = engine.read("/v1/identity/reviews?kind=candidate")["reviews"][0]
    assert {entry["profileId"], entry["otherId"]} == {found["profileId"], found["likely"][0]["profileId"]}
    listed = run_segue("identity", "review", "--url", engine.url)
    assert entry["id"] in listed.stdout
    assert "Lovelace" not in listed.stdout

    run_segue("identity", "review", "--accept", entry["id"], "--url", engine.url)
    eventually(lambda: _is_one(engine), 30.0)
    assert engine.profile("loyalty_id", "c-2")["likely"] == []


def _is_one(engine: Engine) -> bool:
    one, other = (engine.profile("loyalty_id", card)["profileId"] for card in ("c-1", "c-2"))
    assert one == other
    return True
