"""Witnesses of random catalogs: told again, each shows what its note says."""

from __future__ import annotations

from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.pairs import findings
from support.random_conditions import NAMES, plain_trees
from support.random_journeys import ACTIONS, programs
from support.world import action, document

from actors.catalog_proof.rehearsals import rehearse
from engine.catalog.compile import compile_document, examined
from engine.clashes.findings import Finding, Verdict

SEND = {"send": {"action": "one", "channel": "sms"}}
MATCHES: list[dict[str, Any]] = [{"channel": "sms"}, {"action": ["one", "two"]}, {"tier": "promotional"}]
_caps = st.builds(
    lambda limit, per, match: {"id": "cap", "limit": limit, "per": per, "match": match},
    st.integers(1, 2), st.sampled_from(["1d", "7d", "week"]), st.sampled_from(MATCHES),
)  # fmt: skip
_triggers: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        *({"event": name} for name in NAMES),
        {"segment": {"id": "vip"}},
        {"segment": {"id": "theirs", "on": "exit"}},
        {"schedule": {"cron": "0 9 * * MON"}},
        {"date": {"trait": "trip", "offset": "-1d"}},
    ]
)
_steps = st.lists(st.sampled_from([{"wait": {"for": "2h"}}, SEND]), min_size=1, max_size=4) | programs
_whens = st.just({}) | st.just({}) | plain_trees.map(lambda tree: {"when": tree})
_journeys = st.builds(
    lambda tier, trigger, steps, more: {"tier": tier, "trigger": trigger, "steps": steps} | more,
    st.sampled_from(["promotional", "lifecycle"]), _triggers, _steps, _whens,
)  # fmt: skip


@st.composite
def catalogs(draw: st.DrawFn) -> dict[str, Any]:
    """Two journeys of any steps, entered under any conditions, perhaps under a cap."""
    plain = document(
        actions=[action(name, channels=["sms"]) for name in ACTIONS],
        journeys=[{"id": name} | draw(_journeys) for name in ("left", "right")],
        segments={"segments": {"vip": {"trait": {"name": "vip", "is": True}}, "theirs": draw(plain_trees)}},
        policies={"caps": draw(st.lists(_caps, max_size=1)), "stops": [{"id": "bought", "on": "Bought"}]},
    )
    consent = plain["consent.yaml"]
    return plain | {"consent.yaml": consent | {"purposes": consent["purposes"] | {"ads": {"default": False}}}}


@settings(max_examples=25, deadline=None)
@given(catalogs())
def test_a_witness_told_again_shows_what_its_note_says(plain: dict[str, Any]) -> None:
    assume(not examined(plain).problems)
    made = compile_document(plain)
    for found in findings(plain):
        if found.witness is not None and found.verdict is not None:
            again = rehearse(made, found.witness.story, ["left", "right"])
            assert again == found.witness.told
            _shows(found, found.verdict)


def _shows(found: Finding, said: Verdict) -> None:
    assert found.witness is not None
    told = found.witness.told
    assert told.has_entered(said.winner) and told.has_entered(said.loser)
    match said.kind:
        case "held":
            assert (said.action, said.rule) in [(each.action, each.reason) for each in told.held(said.loser)]
        case "free" | "room":
            assert any(told.left(said.winner)) and any(told.left(said.loser))
        case "stopped":
            assert said.rule in [each.reason for each in told.stopped(said.loser)]
