"""Propensity models: what they say by hand, what they learn, and what is refused."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from random import Random
from typing import Any

import pytest
from support.world import ID_KEY, World, action, compiled, document

from actors.catalog_files import config_files
from actors.maintenance.training_samples import samples
from actors.storage.store import RocksStore
from actors.storage.vault import PlainVault
from engine.errors import CatalogError, UsageError
from engine.profile import Profile, TraitValue
from engine.propensity.features import features_of, vector
from engine.propensity.models import context_reader, shrunk_rates
from engine.propensity.training import Shown, fit, split
from engine.view import View


def offer(name: str, **changes: Any) -> dict[str, Any]:
    return action(name, **({"channels": ["web"], "placements": ["home_hero"], "purpose": "service"} | changes))


def shop(model: dict[str, Any], *more: str, files: dict[str, Any] | None = None) -> World:
    """Two actions; `a` has the model."""
    names = ("a", *more)
    actions = [offer(name, propensity={"model": "m"}) for name in names] + [offer("b", propensity={"constant": 0.5})]
    plain = document(actions=actions) | {"models/m.yaml": {"id": "m", **model}} | (files or {})
    return World(plain)


def chance(world: World, name: str = "a", **context: Any) -> float:
    answer = world.customer("ada").decides(explain=True, context=context)
    rows = {row["actionId"]: row for row in answer["explanation"]["candidates"]}
    return float(rows[name]["terms"]["propensity"])


def sigmoid(number: float) -> float:
    return 1 / (1 + math.exp(-number))


LOGISTIC = {
    "logistic": {
        "intercept": -1.0,
        "features": [
            {"trait": "age", "coefficient": 0.5, "mean": 40.0, "scale": 10.0, "missing": 40.0},
            {"context": "page.depth", "coefficient": 1.0},
            {"when": {"trait": {"name": "vip", "is": True}}, "coefficient": 2.0},
            {"count": {"name": "Seen", "within": "7d"}, "coefficient": 0.25, "most": 3},
            {"action": ["a2"], "coefficient": -1.0},
        ],
    }
}


def test_a_logistic_model_is_the_sigmoid_of_its_weighted_sum():
    world = shop(LOGISTIC, "a2")
    ada = world.customer("ada")
    ada.does("Page Viewed")
    assert chance(world) == pytest.approx(sigmoid(-1))
    assert chance(world, "a2") == pytest.approx(sigmoid(-2))
    ada.identifies(age=60, vip=True)
    assert chance(world, page={"depth": 3}) == pytest.approx(sigmoid(-1 + 1 + 3 + 2))
    assert chance(world, page={"depth": "3"}) == pytest.approx(sigmoid(-1 + 1 + 3 + 2))  # a plain number in a text
    for _ in range(5):
        ada.does("Seen")
    assert chance(world) == pytest.approx(sigmoid(-1 + 1 + 2 + 0.75))
    world.advance(days=7)
    assert chance(world) == pytest.approx(sigmoid(-1 + 1 + 2))


def test_a_count_knows_what_is_not_recent_any_more():
    many = {"logistic": {"features": [{"count": {"name": "Seen"}, "coefficient": 0.01, "most": 100}]}}
    world = shop(many)
    for _ in range(70):
        world.customer("ada").does("Seen")
    assert chance(world) == pytest.approx(sigmoid(0.7))


def test_rates_shrink_towards_the_action_and_towards_all():
    table = {"a": {"DE": [30, 100], "AT": [0, 2]}, "b": {"DE": [1, 100]}}
    world = shop({"default": 0.1, "rates": {"by": {"trait": "country"}, "strength": 10.0, "table": table}})
    everywhere = (31 + 10 * 0.1) / (202 + 10)
    overall = (30 + 10 * everywhere) / (102 + 10)
    assert chance(world) == pytest.approx(overall)
    ada = world.customer("ada")
    ada.identifies(country="AT")
    assert chance(world) == pytest.approx((0 + 10 * overall) / 12)
    ada.identifies(country="DE")
    assert chance(world) == pytest.approx((30 + 10 * overall) / 110)
    assert shrunk_rates({"strength": 10.0}, 0.1, "new") == ({}, 0.1)


def network(inputs: int, weights: list[float] | None = None) -> bytes:
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    weights = weights or [1.0] * inputs
    nodes = [helper.make_node("MatMul", ["x", "w"], ["z"]), helper.make_node("Sigmoid", ["z"], ["p"])]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, [None, inputs])],
        [helper.make_tensor_value_info("p", kind, [None, 1])],
        [helper.make_tensor("w", kind, [inputs, 1], weights)],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(made.SerializeToString())


ONNX = {"default": 0.3, "onnx": {"file": "m.onnx", "features": [{"trait": "age"}, {"trait": "visits"}]}}


def test_a_network_in_onnx_says_what_it_computes_and_no_number_is_the_default():
    pytest.importorskip("onnxruntime")
    world = shop(ONNX, files={"models/m.onnx": network(2, [0.5, -1.0])})
    world.customer("ada").identifies(age=4, visits=1)
    assert chance(world) == pytest.approx(sigmoid(1.0), rel=1e-6)
    world = shop(ONNX, files={"models/m.onnx": network(2, [math.nan, 0.0])})
    assert chance(world) == 0.3


FAULTS: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"logistic": {"features": []}}, {}, "models/m.yaml: logistic.features: should not be empty"),
    ({"logistic": {"intercept": math.nan, "features": [{"trait": "x"}]}}, {}, "models/m.yaml: logistic.intercept: "),
    ({"logistic": {"features": [{"trait": "x", "coefficient": math.inf}]}}, {}, "m.yaml: logistic.features[1].coeff"),
    ({"logistic": {"features": [{"trait": "x", "scale": 0.0}]}}, {}, "models/m.yaml: logistic.features[1].scale: "),
    ({"logistic": {"features": [{"trait": "x", "context": "y"}]}}, {}, "exactly one of trait, context, when"),
    ({"logistic": {"features": [{"trait": "religion"}]}}, {}, "'religion' is sensitive (consent.yaml)"),
    ({"rates": {"table": {"nobody": {"": [1, 2]}}}}, {}, "no action called 'nobody'"),
    ({"rates": {"table": {"a": {"": [3, 2]}}}}, {}, "is [taken, shown], and no more is taken than shown"),
    ({"rates": {}, "logistic": {"features": [{"trait": "x"}]}}, {}, "exactly one of rates, logistic and onnx"),
    (ONNX, {}, "models/m.yaml: onnx.file: there is no file models/m.onnx"),
    (ONNX, {"models/m.onnx": b"no network"}, "models/m.yaml: onnx.file: models/m.onnx cannot be run: "),
    ({"rates": {}}, {"models/n.onnx": b""}, "models/n.onnx: file: no model names it"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "files", "problem"), FAULTS, ids=[row[2][:50] for row in FAULTS])
def test_a_model_with_a_fault_is_refused(model: dict[str, Any], files: dict[str, Any], problem: str):
    consent = {"purposes": {"service": {"channels": [], "default": True}, "marketing": {}}, "sensitive": ["religion"]}
    plain = document(actions=[offer("a", propensity={"model": "m"})], consent=consent)
    with pytest.raises(CatalogError) as refused:
        compiled(plain | {"models/m.yaml": {"id": "m", **model}} | files)
    assert any(problem in line for line in refused.value.problems), refused.value.problems


def test_a_network_for_another_number_of_features_is_refused():
    with pytest.raises(CatalogError, match=r"models/m\.onnx takes 3 features, and 2 are declared"):
        shop(ONNX, files={"models/m.onnx": network(3)})


def test_an_unknown_model_is_refused():
    with pytest.raises(CatalogError, match="no model called 'x' is known"):
        compiled(document(actions=[offer("a", propensity={"model": "x"})]))


DECLARED = {"id": "m", "logistic": {"features": [{"trait": "age"}, {"when": {"trait": {"name": "vip"}}}]}}


def invented(count: int, seed: int = 7) -> list[Shown]:
    """Views of customers who take an action by a known rule."""
    rng, rows = Random(seed), []
    for number in range(count):
        age, vip = rng.uniform(20, 60), float(rng.random() < 0.3)
        taken = rng.random() < sigmoid(-3 + 0.05 * age + 1.0 * vip)
        rows.append(Shown(f"c{number // 3}", number, "a", [age, vip], "AT" if vip else "DE", taken=taken))
    return rows


@pytest.mark.slow
def test_training_finds_the_rule_again_and_is_calibrated():
    pytest.importorskip("sklearn")
    made, quality = fit(DECLARED, invented(6_000))
    age, vip = (feature["coefficient"] for feature in made["logistic"]["features"])
    assert made["logistic"]["intercept"] == pytest.approx(-3, abs=0.3)
    assert (age, vip) == (pytest.approx(0.05, abs=0.01), pytest.approx(1.0, abs=0.2))
    assert 0.6 < quality.auc < 0.75 and quality.held_out > 1_000
    assert all(abs(mean - share) < 0.12 for _, mean, share in quality.calibration)
    assert fit(DECLARED, invented(6_000)) == (made, quality), "the same rows give the same model"
    profile = Profile("p")
    profile.traits = {"age": TraitValue(50, 0), "vip": TraitValue(True, 0)}
    features = features_of(made["logistic"]["features"], {"id": "a"})
    numbers = vector(features, View(profile, compiled(document()), 0))
    assert sigmoid(made["logistic"]["intercept"] + sum(
        number * each["coefficient"] for number, each in zip(numbers, made["logistic"]["features"], strict=True)
    )) == pytest.approx(sigmoid(-3 + 2.5 + 1), abs=0.05)  # fmt: skip


def test_rates_are_counted_with_decay_and_judged_on_other_customers():
    pytest.importorskip("sklearn")
    made, quality = fit({"id": "m", "rates": {"by": {"trait": "country"}, "half_life_days": 1.0}}, invented(3_000))
    table = made["rates"]["table"]["a"]
    assert set(table) == {"AT", "DE"}
    assert table["AT"][0] / table["AT"][1] > table["DE"][0] / table["DE"][1] > 0
    assert quality.auc > 0.52
    known, held = split(invented(3_000))
    assert {row.customer for row in known}.isdisjoint({row.customer for row in held})


@pytest.mark.parametrize("rows", [invented(20), [dataclasses.replace(row, taken=False) for row in invented(900)]])
def test_too_little_to_learn_from_is_said(rows: list[Shown]):
    with pytest.raises(UsageError, match="to learn from"):
        fit(DECLARED, rows)


def test_a_row_is_what_was_known_when_the_action_was_chosen(tmp_path: Path):
    plain = document(actions=[offer("a", propensity={"model": "m"})]) | {
        "models/m.yaml": {"id": "m", "logistic": {"features": [{"trait": "age"}, {"context": "depth"}]}}
    }
    world = World(plain, stores=[RocksStore(tmp_path / "shard-000")])
    takes, leaves, late = (world.customer(name) for name in ("takes", "leaves", "late"))
    for customer, age in ((takes, 30), (leaves, 40), (late, 50)):
        customer.identifies(age=age)
        shown = customer.decides(context={"depth": age / 10})["actions"][0]
        customer.identifies(age=99)
        world.advance(minutes=1)
        customer.sees(shown)
        if customer is not leaves:
            world.advance(days=0 if customer is takes else 8)
            customer.sees(shown, "clicked")
    world.engine.shard(takes.id).close()
    catalog = dataclasses.replace(compiled(plain), id_key=ID_KEY)
    by = context_reader({})
    declared = plain["models/m.yaml"]["logistic"]["features"]
    found = samples(
        [tmp_path / "shard-000"],
        PlainVault(),
        catalog,
        lambda view, facts: (vector(features_of(declared, facts), view), by(view)),
        7 * 86_400_000,
    )
    assert sorted((tuple(row.numbers), row.taken) for row in found) == [
        ((30.0, 3.0), True), ((40.0, 4.0), False), ((50.0, 5.0), False)
    ]  # fmt: skip


def test_a_model_is_read_from_its_file(tmp_path: Path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "m.yaml").write_text("id: m\nlogistic:\n  features:\n    - {trait: age}\n", "utf-8")
    assert config_files.load(tmp_path).version
    (tmp_path / "models" / "m.yaml").write_text("id: m\nlogistic: {features: [{trait: age, coeficient: 1}]}\n", "utf-8")
    with pytest.raises(CatalogError, match=r"models/m\.yaml:2: "):
        config_files.load(tmp_path)
