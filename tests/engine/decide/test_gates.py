"""The list of gates: all that is read from it fits together, and receipts on disk keep their numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.world import World, action, compiled, document

from engine.decide import placement_plan
from engine.decide.gates import asking, texts
from engine.decide.gates.order import GATES

REASONS = Path(__file__).resolve().parents[3] / "docs/reasons.md"

EVERYTHING = document(
    actions=[
        action("bag", channels=["email", "web"], placements=["home_hero"], product="b1",
               offer={"discount": 0.2}, valid={"until": "2026-04-01"}),
        action("late", status="draft"),
        action("idle", status="paused", purpose="service", tier="service"),
    ],
    placements={"placements": [{"id": "home_hero", "channel": "web", "per_category": 1}]},
    policies={
        "suppress": [{"id": "ticket", "when": {"trait": {"name": "angry", "exists": True}}}],
        "caps": [{"id": "weekly", "limit": 1, "per": "7d"}, {"id": "daily", "limit": 1, "per": "24h"}],
        "budgets": [{"id": "shared", "limit": 10, "per": "day"}],
        "fatigue": {"half_life": "7d", "seen": 0.5, "silence_at": 0.9},
        "min_propensity": 0.1,
        "holdouts": [{"id": "control", "share": 0.1}],
    },
)  # fmt: skip


def test_reasons_keep_their_numbers_in_receipts():
    numbered = [
        "validity.not_yet",
        "validity.over",
        "fit.channel",
        "eligibility",
        "fit.no_email",
        "consent.marketing.email",
        "consent.marketing.sms",
        "consent.marketing.web",
        "consent.service.email",
        "consent.service.sms",
        "consent.service.web",
        "suppress.ticket",
        "cap.weekly",
        "cap.daily",
        "suppress.fatigue",
        "offer.full_price",
        "offer.shown",
        "budget.shared",
        "propensity.low",
        "diversity.category",
        "holdout.control",
        "status.draft",
        "status.paused",
    ]
    assert list(asking.numbered(compiled(EVERYTHING))) == numbered


def test_what_no_rule_asks_for_has_no_number():
    assert list(asking.numbered(compiled(document()))) == [
        "validity.not_yet", "validity.over", "fit.channel", "eligibility", "fit.no_email",
    ]  # fmt: skip


def test_blocks_of_numbers_follow_one_another():
    blocks = sorted(part.block for gate in GATES for part in gate.numbered)
    assert blocks == list(range(len(blocks)))


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.name)
def test_what_a_gate_may_remove_from_a_decision_has_a_number(gate):
    is_of_decisions = gate.strike is not None and gate.asked != {"send"}
    assert bool(gate.numbered) == is_of_decisions


def test_every_number_belongs_to_its_gate():
    catalog = compiled(EVERYTHING)
    for gate in GATES:
        for part in gate.numbered:
            assert all(gate.gives(reason) for reason in part.of(catalog)), gate.name


def test_every_reason_has_a_text_and_no_text_is_left_over():
    assert {reason for gate in GATES for reason in gate.reasons} == texts.TEXTS.keys()
    assert len({gate.name for gate in GATES}) == len(GATES)


def test_the_page_of_reasons_has_the_gates_in_their_order():
    assert texts.table() in REASONS.read_text("utf-8"), f"docs/reasons.md should have:\n\n{texts.table()}\n"


def test_a_part_of_a_plan_that_a_gate_names_is_there():
    plan = placement_plan.of_placement(compiled(EVERYTHING), "web", "home_hero")
    for gate in GATES:
        assert all(hasattr(plan, part) for part in gate.about), gate.name
    assert plan.asked_about >= {"validity", "suppressions", "caps", "offering", "budgets", "holdouts", "per_category"}


def test_all_that_speaks_against_a_send_is_named_though_the_first_gate_says_no():
    plain = document(
        actions=[action("letter", eligible={"trait": {"name": "vip", "exists": True}})],
        journeys=[{"id": "hello", "tier": "promotional", "trigger": {"event": "Signed Up"},
                   "steps": [{"send": {"action": "letter", "channel": "email"}}]}],
        policies={"suppress": [{"id": "one", "when": {"trait": {"name": "angry", "exists": True}}},
                               {"id": "two", "when": {"trait": {"name": "angry", "is": True}}}],
                  "holdouts": [{"id": "control", "share": 1.0}]},
    )  # fmt: skip
    world = World(plain)
    ada = world.customer("ada")
    ada.identifies(angry=True)
    ada.does("Signed Up")
    (held,) = [entry for entry in ada.timeline if entry.outcome == "held"]
    assert held.reason == "fit.no_email"
    wanted = ["consent.marketing.email", "eligibility", "suppress.one", "suppress.two", "holdout.control"]
    assert held.detail["also"] == wanted
    assert ada.profile.drawn == {}, "only looked at"
