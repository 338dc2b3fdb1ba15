"""`segue train` on a data directory: from what was shown, clicked and left to a model in its file."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from ruamel.yaml import YAML
from support.world import ID_KEY, World, action, document
from typer.testing import CliRunner

from actors.storage.store import RocksStore
from actors.storage.vault import FileVault
from engine.errors import UsageError
from serve.cli import app

KEY = bytes(range(32))
FILES: dict[str, Any] = document(
    actions=[action("a", channels=["web"], placements=["home_hero"], purpose="service", propensity={"model": "m"})]
) | {"models/m.yaml": {"id": "m", "default": 0.2, "logistic": {"features": [{"trait": "age"}]}}}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stopped engine that has shown something to 300 customers; the older ones click."""
    folder, rng = tmp_path_factory.mktemp("train"), Random(3)
    data, config = folder / "data", folder / "configs"
    data.mkdir()
    (data / "engine.json").write_text(json.dumps({"format": 2, "shards": 1, "clock": "wall", "vault_base": 0}))
    for name, content in FILES.items():
        path = config / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    vault = FileVault(data / "vault", KEY, 0)
    world = World(FILES, stores=[RocksStore(data / "shard-000")], vaults=[vault])
    for number in range(300):
        customer, age = world.customer(f"u{number}"), rng.randint(20, 80)
        customer.identifies(age=age)
        shown = customer.decides()["actions"][0]
        customer.sees(shown)
        if rng.random() < (age - 20) / 60:
            customer.sees(shown, "clicked")
    world.engine.windows[0].shard.close()
    vault.close()
    return folder


@pytest.mark.slow
def test_a_model_is_fitted_judged_and_written(home: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("sklearn")
    monkeypatch.setenv("SEGUE_ENGINE_KEY", KEY.hex())
    monkeypatch.setenv("SEGUE_ID_KEY", ID_KEY.decode())
    where = ["--data", str(home / "data"), "--config", str(home / "configs"), "--out", str(home / "m.yaml")]
    done = CliRunner().invoke(app, ["train", "--model", "m", *where])
    assert done.exit_code == 0, done.output
    assert "300 shown actions" in done.output and "AUC 0." in done.output and "log loss" in done.output
    made = YAML(typ="safe").load((home / "m.yaml").read_text("utf-8"))
    assert made["logistic"]["features"][0]["coefficient"] > 0.03 and made["trained"]["auc"] > 0.65
    missing = CliRunner().invoke(app, ["train", "--model", "x", *where])
    assert isinstance(missing.exception, UsageError) and "no model called 'x'" in str(missing.exception)
