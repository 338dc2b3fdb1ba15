"""From plain data to the compiled catalog: what it becomes, and what is said when it cannot."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest

from engine.catalog import compile as catalog_compile
from engine.catalog.compile import compile_bytes, compile_document, examined
from engine.errors import CatalogError

_DAY_MS = 86_400_000


def _document() -> dict[str, Any]:
    """A small catalog that is in order; each test breaks or changes a copy of it."""
    return {
        "channels.yaml": {
            "channels": [
                {"id": "web", "provider": "none"},
                {"id": "email", "provider": "smtp", "address": "email", "host": "h", "sender": "a@shop.example"},
                {"id": "sms", "provider": "sandbox", "address": "phone"},
            ]
        },
        "consent.yaml": {"purposes": {"marketing": {"channels": ["email", "sms"]}, "service": {"default": True}}},
        "placements.yaml": {"placements": [{"id": "hero", "channel": "web"}, {"id": "box", "channel": "sms"}]},
        "segments.yaml": {"segments": {"staff": {"trait": {"name": "staff", "is": True}}}},
        "policies.yaml": {
            "workspace": {"zone": "Europe/Berlin"},
            "caps": [
                {"id": "weekly", "limit": 2, "per": "7d", "match": {"channel": ["email", "sms"], "action": "offer"}}
            ],
            "suppress": [{"id": "angry", "when": {"context": {"name": "mood", "is": "bad"}}}],
        },
        "actions/offer.yaml": {
            "id": "offer",
            "tier": "promotional",
            "purpose": "marketing",
            "channels": ["email", "web"],
            "placements": ["hero"],
            "value": 4.0,
            "variants": [
                {
                    "id": "a",
                    "email": {"subject": "Hello {{ traits.name }}", "template": "offer.html"},
                    "web": {"content": {"title": "Hello"}},
                }
            ],
        },
        "journeys/cart.yaml": {
            "id": "cart",
            "tier": "promotional",
            "trigger": {"event": "Product Added"},
            "steps": [{"wait": {"for": "1h"}}, {"send": {"action": "offer", "channel": "email"}}],
        },
        "templates/offer.html": '<p>{{ traits.name | default("you") }}</p>',
    }


def _changed(file: str, loc: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    document = deepcopy(_document())
    here = document.setdefault(file, {})
    if not loc:
        return document | {file: value}
    for step in loc[:-1]:
        here = here[step]
    here[loc[-1]] = value
    return document


def _problems(document: dict[str, Any]) -> list[str]:
    with pytest.raises(CatalogError) as refused:
        compile_document(document)
    return list(refused.value.problems)


OFFER, CART, POLICIES, CHANNELS = "actions/offer.yaml", "journeys/cart.yaml", "policies.yaml", "channels.yaml"
SEND = {"send": {"action": "offer", "channel": "email"}}
CONDITION = "a condition is exactly one of all, any, not, trait, context, event, segment, consent, suppression, outcome"
NO_UNIT = "a duration is a number and a unit: 30s, 30m, 2h or 7d"
NOTHING_TO_SAY = "is required: this channel delivers, so every variant has something to say on it"
NO_SCALAR = "should be a text, a number, true or false"
NO_TEMPLATE = "no template called 'x.html' in templates/"
NO_ID = "an id is made of letters, digits, _ and -, at most 100 of them"
NO_STEP = "a step is exactly one of send, wait, wait_for, branch, split, parallel, update, webhook, goto, exit"
NO_ARM = "an arm of a branch has either when or else: true"
MIXED = "mixes texts, numbers or truth values"
DOTS = "a path is names with single dots between them"
WINDOW = "a rolling window is per 7d, a calendar window per day, week or month"
LIMIT = "a limit is at least 1: to send nothing at all, end the action's validity instead"

BROKEN = [
    # shapes and values
    (OFFER, ("tier",), "gold", "tier: should be 'service', 'lifecycle' or 'promotional'"),
    (OFFER, ("colour",), "red", "colour: is not known here"),
    (OFFER, ("value",), "4", "value: should be a number, without quotes"),
    (OFFER, ("value",), 4.005, "value: EUR has no more than 2 decimals"),
    (OFFER, ("variants", 0, "id"), "a b", f"variants[1].id: {NO_ID}"),
    (OFFER, ("variants",), [], "variants: should not be empty"),
    (OFFER, ("propensity",), {"constant": 1.5}, "propensity.constant: should be at most 1.0"),
    (OFFER, ("propensity",), {"model": "m"}, "propensity.model: no model called 'm' is known"),
    (OFFER, ("propensity",), {}, "propensity: exactly one of constant, trait and model"),
    (OFFER, ("valid",), {"from": "soon"}, "valid.from: a date is written 2026-03-01"),
    (OFFER, ("valid",), {"from": "2026-03-02", "until": "2026-03-01"}, "valid: until lies before from"),
    ("sources.yaml", (), ["web"], "file: should be a mapping"),
    (POLICIES, ("caps", 0, "limit"), 0, f"caps[1].limit: {LIMIT}"),
    (POLICIES, ("caps", 0, "limit"), True, "caps[1].limit: should be a whole number"),
    (POLICIES, ("caps", 0, "per"), "0d", "caps[1].per: a duration of zero means nothing here"),
    (POLICIES, ("caps", 0, "per"), "400d", "caps[1].per: a cap looks back at most 366d"),
    (POLICIES, ("caps", 0, "per"), 7, f"caps[1].per: {NO_UNIT}"),
    (POLICIES, ("caps", 0, "window"), "calendar", f"caps[1]: {WINDOW}"),
    (POLICIES, ("workspace", "zone"), "Mars/Olympus", "workspace.zone: no zone called 'Mars/Olympus' is known"),
    (POLICIES, ("workspace", "lateness"), "0s", "workspace.lateness: a duration of zero means nothing here"),
    (CHANNELS, ("channels", 1, "port"), 0, "channels[2].port: should be at least 1"),
    (CHANNELS, ("channels", 0, "port"), 25, "channels[1].port: is not known here"),
    (CHANNELS, ("channels", 1, "host"), None, "channels[2]: an smtp channel needs address, host and sender"),
    (CHANNELS, ("channels", 1, "quiet"), {"from": 22}, "channels[2].quiet: is not known here"),
    (
        CHANNELS,
        ("channels", 1, "password"),
        "hunter2",
        "channels[2].password: a secret is never written here: name its environment variable as password_env",
    ),
    ("pollicies.yaml", (), {}, "file: no such file belongs to a catalog, did you mean policies.yaml?"),
    # references
    (OFFER, ("purpose",), "marketting", "purpose: no purpose called 'marketting', did you mean 'marketing'?"),
    (OFFER, ("channels", 1), "fax", "channels[2]: no channel called 'fax' is known"),
    (OFFER, ("placements", 0), "zzz", "placements[1]: no placement called 'zzz' is known"),
    (POLICIES, ("caps", 0, "match", "action"), "zzz", "caps[1].match.action: no action called 'zzz' is known"),
    (CHANNELS, ("channels", 2, "address"), "fax_no", "channels[3].address: no namespace called 'fax_no' is known"),
    (CART, ("steps", 1, "send", "action"), "zzz", "steps[2].send.action: no action called 'zzz' is known"),
    (CART, ("steps", 1, "send", "channel"), "sms", "steps[2].send.channel: offer has no channel sms"),
    (CART, ("steps", 1, "send", "channel"), "web", "steps[2].send.channel: web is asked, it cannot be sent to"),
    (OFFER, ("placements",), ["hero", "box"], "placements[2]: box is on channel sms, which is not one of the action's"),
    # content
    (OFFER, ("variants", 0, "email", "template"), "x.html", f"variants[1].email.template: {NO_TEMPLATE}"),
    (OFFER, ("variants", 0, "email"), {"template": "offer.html"}, "variants[1].email.subject: is required"),
    (OFFER, ("variants", 0, "sms"), {"text": "x"}, "variants[1].sms: is not one of the action's channels"),
    (OFFER, ("variants", 0, "web"), {"title": "x"}, "variants[1].web: should be {content: {…}}"),
    (OFFER, ("channels",), ["email", "web", "sms"], f"variants[1].sms: {NOTHING_TO_SAY}"),
    # the grammar of conditions
    (OFFER, ("eligible",), {}, f"eligible: {CONDITION}"),
    (OFFER, ("eligible",), {"all": []}, "eligible.all: should not be empty"),
    (OFFER, ("eligible",), {"segment": "staff", "suppression": "angry"},
     f"eligible: {CONDITION}, and here are segment and suppression; put them under all"),
    (OFFER, ("eligible",), {"all": [{"any": [{"planet": "x"}]}]}, f"eligible.all[1].any[1]: {CONDITION}"),
    (OFFER, ("eligible",), {"not": {"segment": "zzz"}}, "eligible.not.segment: no segment called 'zzz' is known"),
    (OFFER, ("eligible",), {"suppression": "zzz"}, "eligible.suppression: no suppression called 'zzz' is known"),
    (OFFER, ("eligible",), {"trait": {"name": "n", "roughly": 3}}, "eligible.trait.roughly: is not known here"),
    (OFFER, ("eligible",), {"trait": {"name": "n", "at_least": "x"}}, "eligible.trait.at_least: should be a number"),
    (OFFER, ("eligible",), {"trait": {"name": "n", "in": [1, "x"]}}, f"eligible.trait.in: {MIXED}"),
    (OFFER, ("eligible",), {"trait": {"name": "a..b"}}, f"eligible.trait.name: {DOTS}"),
    (OFFER, ("eligible",), {"trait": {"is": 3}}, "eligible.trait.name: is required"),
    (OFFER, ("eligible",), {"event": {"name": "E", "within": "7"}}, f"eligible.event.within: {NO_UNIT}"),
    (OFFER, ("eligible",), {"event": {"name": "E", "count": {}}},
     "eligible.event.count: should say at_least, at_most or both"),
    (OFFER, ("eligible",), {"event": {"name": "E", "where": {"a": {}}}}, "eligible.event.where.a: should not be empty"),
    (OFFER, ("eligible",), {"event": {"name": "E", "where": {"a": None}}}, f"eligible.event.where.a: {NO_SCALAR}"),
    (
        OFFER,
        ("eligible",),
        {"event": {"name": "E", "where": {"a": "$action.colour"}}},
        "eligible.event.where.a: $action.colour is none of the facts of an action: "
        "id, tier, purpose, category, product, group, value",
    ),
    (
        CART,
        ("when",),
        {"event": {"name": "E", "where": {"a": "$action.category"}}},
        "when.event.where.a: there is no action here that $action.category could be a fact of",
    ),
    # journeys
    (CART, ("steps",), [], "steps: should not be empty"),
    (CART, ("steps", 0), {"wait": {"for": "0m"}}, "steps[1].wait.for: a duration of zero means nothing here"),
    (CART, ("steps", 0), {"wait": {"for": "1m"}, "exit": {}}, f"steps[1]: {NO_STEP}, and here are exit and wait"),
    (CART, ("steps", 0), {"branch": [{"steps": [SEND]}]}, f"steps[1].branch[1]: {NO_ARM}"),
    (
        CART,
        ("steps", 0),
        {"branch": [{"else": True, "steps": [SEND]}, {"when": {"segment": "staff"}, "steps": [SEND]}]},
        "steps[1].branch: else is the last arm of a branch",
    ),
    (CART, ("steps",), [{"id": "x"} | SEND, {"id": "x"} | SEND], "steps[2].id: 'x' is there already"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "loc", "value", "problem"), BROKEN, ids=[row[3][:60] for row in BROKEN])
def test_a_fault_is_named_with_its_file_and_path(
    file: str, loc: tuple[str | int, ...], value: Any, problem: str
) -> None:
    assert _problems(_changed(file, loc, value)) == [f"{file}: {problem}"]


def test_a_warning_is_no_problem_and_stands_at_its_place() -> None:
    content = {"variants": [{"id": "a", "email": {"subject": "Hello", "template": "offer.html"}}]}
    offer = _document()["actions/offer.yaml"] | {"id": "lonely", "channels": ["email"], "placements": []} | content
    document = _document() | {"actions/lonely.yaml": offer}
    assert "lonely" in compile_document(document).actions
    doubts = examined(document).warnings()
    assert all(doubt.is_warning for doubt in doubts)
    assert "actions/lonely.yaml: channels: nobody gets it: no journey sends it" in map(str, doubts)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("\n{% if %}", "2: template: something is missing between the brackets"),
        ("\n\n{{ action.id | sparkle }}", "3: template: there is no filter 'sparkle'"),
        ("{% include 'footer.html' %}", "1: template: no template called 'footer.html' in templates/"),
        (
            "{{ trait.name }}",
            "1: template: 'trait' is not there when a message is rendered; "
            "there are action, confirm_address_url, currency, event, language, timezone, traits, unsubscribe_url",
        ),
    ],
)
def test_a_template_that_cannot_be_rendered_is_named_with_its_line(text: str, problem: str) -> None:
    document = _changed("templates/offer.html", (), text)
    assert _problems(document) == [f"templates/offer.html:{problem}"]


@pytest.mark.parametrize(
    ("sensitive", "file", "loc", "value", "problem"),
    [
        ("faith", OFFER, ("eligible",), {"not": {"trait": {"name": "faith", "is": "x"}}}, "eligible.not.trait.name"),
        ("health", OFFER, ("eligible",), {"trait": {"name": "health.pregnant"}}, "eligible.trait.name"),
        ("origin.parents", CART, ("when",), {"trait": {"name": "origin"}}, "when.trait.name"),
        ("staff", "segments.yaml", ("segments", "staff", "trait", "is"), False, "segments.staff.trait.name"),
        ("score", OFFER, ("propensity",), {"trait": "score"}, "propensity.trait"),
    ],
)
def test_nothing_may_be_decided_by_what_is_sensitive(
    sensitive: str, file: str, loc: tuple[str, ...], value: Any, problem: str
) -> None:
    document = _changed(file, loc, value)
    compile_document(document)
    document["consent.yaml"]["sensitive"] = [sensitive]
    said = f"{sensitive!r} is sensitive (consent.yaml): nothing may be decided by it"
    assert _problems(document) == [f"{file}: {problem}: {said}"]


def test_a_trait_that_only_begins_alike_is_not_sensitive() -> None:
    document = _changed(OFFER, ("eligible",), {"trait": {"name": "healthy_food"}})
    document["consent.yaml"]["sensitive"] = ["health", "staff.id.number"]
    assert _problems(document) == [
        "segments.yaml: segments.staff.trait.name: 'staff.id.number' is sensitive (consent.yaml): "
        "nothing may be decided by it"
    ]


def test_every_problem_is_reported_at_once() -> None:
    document = _changed("policies.yaml", ("caps", 0, "limit"), 0)
    document["policies.yaml"]["suppress"].append({"id": "angry", "when": {"segment": "nobody"}})
    document["actions/offer.yaml"]["purpose"] = "fun"
    document["actions/again.yaml"] = deepcopy(document["actions/offer.yaml"]) | {"purpose": "service"}
    document["journeys/cart.yaml"]["steps"][0] = {"wait": {"for": "soon"}}
    assert _problems(document) == [
        "actions/offer.yaml: purpose: no purpose called 'fun' is known",
        "actions/offer.yaml: id: 'offer' is the id of actions/again.yaml already",
        f"journeys/cart.yaml: steps[1].wait.for: {NO_UNIT}",
        f"policies.yaml: caps[1].limit: {LIMIT}",
        "policies.yaml: suppress[2].when.segment: no segment called 'nobody' is known",
        "policies.yaml: suppress[2].id: 'angry' is there already",
    ]


def test_segments_that_need_each_other_are_refused() -> None:
    circle = {"a": {"not": {"segment": "b"}}, "b": {"all": [{"segment": "a"}]}, "c": {"segment": "a"}}
    assert _problems({"segments.yaml": {"segments": circle}}) == [
        "segments.yaml: segments.a: goes round in a circle: segment a → segment b → segment a",
        "segments.yaml: segments.b: goes round in a circle: segment b → segment a → segment b",
    ]


def test_an_empty_document_is_a_catalog_of_defaults() -> None:
    catalog = compile_document({})
    assert (catalog.zone, catalog.currency, catalog.lateness_ms, catalog.reserve_ms) == (
        "UTC",
        "EUR",
        2 * _DAY_MS,
        1_800_000,
    )
    assert not (catalog.actions or catalog.channels or catalog.caps or catalog.purposes)
    assert {"null", "none", "undefined", "0", "-1"} <= catalog.identity.namespaces["user_id"].blocked


def test_an_empty_file_is_one_in_which_nothing_stands() -> None:
    assert compile_document({"policies.yaml": None}).currency == "EUR"
    missing = [f"actions/a.yaml: {field}: is required" for field in ("id", "tier", "purpose", "channels")]
    assert _problems({"actions/a.yaml": None}) == missing


def test_blocked_values_are_taken_as_clients_send_them() -> None:
    document = {"identity.yaml": {"namespaces": {"user_id": {"blocked": ["till", -99]}, "crm_id": {}}}}
    namespaces = compile_document(document).identity.namespaces
    assert {"till", "-99", "null"} <= namespaces["user_id"].blocked and "till" not in namespaces["crm_id"].blocked


@pytest.mark.parametrize(
    ("zone", "valid", "starts", "ends"),
    [
        ("Europe/Berlin", {"from": "2026-03-01", "until": "2026-04-30"}, "2026-02-28T23:00", "2026-04-30T22:00"),
        ("Europe/Berlin", {"until": "2026-03-29"}, None, "2026-03-29T22:00"),  # the day on which summer time begins
        ("Asia/Tokyo", {"from": "2026-01-01"}, "2025-12-31T15:00", None),
    ],
)
def test_validity_is_whole_days_in_the_zone_of_the_workspace(
    zone: str, valid: dict[str, str], starts: str | None, ends: str | None
) -> None:
    document = _changed("policies.yaml", ("workspace", "zone"), zone)
    document["actions/offer.yaml"]["valid"] = valid
    action = compile_document(document).actions["offer"]
    assert (action.valid_from_ms, action.valid_until_ms) == (_utc_ms(starts), _utc_ms(ends))


def _utc_ms(text: str | None) -> int | None:
    return None if text is None else int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("currency", "value", "minor"), [("EUR", 4.0, 400), ("EUR", 0.29, 29), ("JPY", 400, 400), ("KWD", 1.005, 1005)]
)
def test_money_becomes_minor_units_of_its_currency(currency: str, value: float, minor: int) -> None:
    document = _changed("policies.yaml", ("workspace", "currency"), currency)
    document["actions/offer.yaml"]["value"] = value
    assert compile_document(document).actions["offer"].value_minor == minor


def test_a_cap_matches_single_values_and_lists() -> None:
    cap = compile_document(_document()).caps[0]
    assert (cap.limit, cap.per_ms) == (2, 7 * _DAY_MS)
    assert cap.match == {"channel": frozenset({"email", "sms"}), "action": frozenset({"offer"})}


def test_facts_are_what_an_action_has() -> None:
    facts = compile_document(_changed(OFFER, ("group",), "spring")).actions["offer"].facts
    assert facts == {"id": "offer", "tier": "promotional", "purpose": "marketing", "group": "spring", "value": 4.0}


def test_a_journey_becomes_a_flat_program() -> None:
    document = _document()
    arm = {"when": {"segment": "staff"}, "steps": [SEND]}
    document["journeys/cart.yaml"]["steps"] = [
        {"wait_for": {"event": "Email Clicked", "timeout": "2d", "on_event": "exit"}},
        {
            "branch": [
                {"when": {"segment": "staff"}, "steps": [{"exit": {"reason": "ours"}}]},
                {"when": {"trait": {"name": "x"}}, "steps": [{"branch": [arm]}]},
                {"else": True, "steps": [{"wait": {"for": "1m", "reset_on": "Product Added"}}]},
            ]
        },
        {"id": "last"} | SEND,
    ]  # fmt: skip
    steps = compile_document(document).journeys["cart"].steps
    assert [(step.id, step.kind, [target for _, target in step.arms], step.target) for step in steps] == [
        ("0", "wait_for", [], 0),
        ("1", "branch", [2, 4], 7),
        ("1.0.0", "exit", [], 0),
        ("1.0.end", "jump", [], 8),
        ("1.1.0", "branch", [5], 6),
        ("1.1.0.0.0", "send", [], 0),
        ("1.1.end", "jump", [], 8),
        ("1.2.0", "wait", [], 0),
        ("last", "send", [], 0),
    ]
    assert (steps[0].on_event, steps[0].on_timeout) == (len(steps), 1)
    assert (steps[7].for_ms, steps[7].reset_on) == (60_000, {"Product Added"})
    assert steps[2].reason == "ours"


def test_the_version_names_the_content_not_its_spelling(monkeypatch: pytest.MonkeyPatch) -> None:
    document = _document()
    catalog = compile_document(document)
    assert compile_document(dict(reversed(document.items()))).version == catalog.version
    assert compile_document(_changed(OFFER, ("value",), 4.5)).version != catalog.version
    assert len(catalog.version) == 16 and int(catalog.version, 16)
    monkeypatch.setattr(catalog_compile.zones, "VERSION", "1999.1")
    assert compile_document(document).version != catalog.version


def test_a_catalog_compiles_again_from_the_bytes_it_keeps() -> None:
    catalog = compile_document(_document())
    again = compile_bytes(catalog.document)
    assert (again.version, again.document) == (catalog.version, catalog.document)
    assert list(again.actions) == list(catalog.actions) and again.templates == catalog.templates


@pytest.mark.parametrize(
    "document", [{"a.yaml": {"x": object()}}, {"a.yaml": {1: 1, "x": 1}}, {"a.yaml": 2**70}, {7: {}}]
)
def test_what_is_not_plain_data_is_a_problem_too(document: dict[Any, Any]) -> None:
    assert _problems(document)[0].startswith(("document: not plain data", "a.yaml: file: "))
