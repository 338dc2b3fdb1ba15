"""Compiles actions and the rules over all of them, from their checked models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any

from engine.catalog import compiled, zones
from engine.catalog.permissions import Links
from engine.catalog.schema import files
from engine.catalog.schema import policies as schema_policies
from engine.catalog.schema.grammar import tree_of
from engine.catalog.schema.policies import AfterPurchase, Policies, Purchases
from engine.conditions.binding import Tree, bind, conjuncts, inline
from engine.conditions.predicates import build
from engine.propensity.models import Made
from engine.values import money, subjects


class Rules:
    """Compiles actions with the policies that concern them, and the suppressions that hold actions back."""

    def __init__(self, policies: Policies, models: Mapping[str, Made]) -> None:
        self._models = models
        self._space = policies.workspace
        self._policies = policies
        self._asked = {rule.id: tree_of(rule.when) or {} for rule in policies.suppress}

    def action(self, action: files.Action) -> compiled.Action:
        """An action with all that the policies add to it."""
        space, facts = self._space, _facts(action)
        value_minor = money.minor_units(action.value, space.currency)
        assert value_minor is not None, "the check refuses more decimals than the currency has"
        asked = tree_of(action.eligible)
        eligible = conjuncts(bind(inline(asked, self._asked), facts))
        eligible += [
            _bought(self._policies.purchases, rule) for rule in self._policies.after_purchase if action.id in rule.show
        ]
        return compiled.Action(
            id=action.id,
            tier=action.tier,
            purpose=action.purpose,
            channels=tuple(action.channels),
            placements=frozenset(action.placements),
            category=action.category,
            value_minor=value_minor,
            weight=action.weight,
            propensity=self._propensity(action.propensity, facts),
            valid_from_ms=_start_ms(action.valid.from_, space.zone, plus_days=0),
            valid_until_ms=_start_ms(action.valid.until, space.zone, plus_days=1),
            eligible=tuple(eligible),
            offer=_offer(action, space.currency),
            full_price=self._full_price(action),
            variants=tuple(compiled.Variant(each.id, each.weight, each.model_extra or {}) for each in action.variants),
            because=action.because or "",
            facts=facts,
            texts=action.texts,
            asked=asked,
        )

    def _propensity(self, asked: files.Propensity, facts: Mapping[str, Any]) -> compiled.Propensity:
        scorer = None if asked.model is None else self._models[asked.model](facts)
        return compiled.Propensity(asked.constant, asked.trait, asked.default, scorer)

    def suppressions(self, actions: Iterable[compiled.Action]) -> tuple[compiled.Suppression, ...]:
        """The rules that hold actions back, those after a purchase last."""
        found = []
        for rule in self._policies.suppress:
            asked = self._asked[rule.id]
            tree = inline(asked, self._asked)
            assert tree is not None, "the schema wants a condition"
            # `when` asks without an action, so it is bound to no facts: atoms that name one are false.
            found.append(compiled.Suppression(rule.id, rule.tier, tree, build(bind(tree, {})), asked=asked))
        actions = list(actions)
        known = shelves(actions)
        for after in self._policies.after_purchase:
            tree = _bought(self._policies.purchases, after)
            held = frozenset(each.id for each in actions if _is_about(after, each, known) and each.id not in after.show)
            found.append(compiled.Suppression(f"after_{after.id}", None, tree, build(tree), held))
        return tuple(found)

    def _full_price(self, action: files.Action) -> Tree | None:
        within = self._policies.offers.full_price
        if within is None or action.offer is None:
            return None
        return _purchase(self._policies.purchases, _subject(action.product, action.category), within, full_price=True)


def cap(cap: schema_policies.Cap) -> compiled.Cap:
    """A cap; one by the calendar has no length in milliseconds."""
    if isinstance(cap.per, str):
        return compiled.Cap(cap.id, cap.limit, 0, cap.per, match_of(cap.match))
    return compiled.Cap(cap.id, cap.limit, cap.per, None, match_of(cap.match))


def budget(rule: schema_policies.Budget) -> compiled.Budget:
    """A budget; where its file names no block, a block is a fiftieth of it."""
    block = rule.block or max(1, min(10_000, rule.limit // 50))
    return compiled.Budget(rule.id, rule.limit, rule.per, block, match_of(rule.match))


def paces(journeys: Iterable[compiled.Journey]) -> Iterator[compiled.Budget]:
    """The budget of each journey that has a pace, a token for each message that leaves. It pays for no place."""
    for journey in journeys:
        if journey.guards.pace is not None:
            limit, per_ms = journey.guards.pace
            block = max(1, min(10_000, limit // 20))
            yield compiled.Budget(pace_of(journey.id), limit, None, block, {"action": frozenset()}, per_ms)


def pace_of(journey: str) -> str:
    """The name of a journey's budget; no other budget has a dot in its name."""
    return f"pace.{journey}"


def lever(rule: schema_policies.Lever) -> compiled.Lever:
    """A lever on scores."""
    return compiled.Lever(rule.id, rule.weight, match_of(rule.match))


def holdout(rule: schema_policies.Holdout) -> compiled.Holdout:
    """A holdout."""
    return compiled.Holdout(rule.id, rule.share, match_of(rule.match))


def match_of(match: schema_policies.Match) -> dict[str, frozenset[str]]:
    """The values that a rule matches, by field of a place."""
    return {key: frozenset(values) for key, values in match.model_dump(exclude_none=True).items()}


def links(rule: schema_policies.Links) -> Links:
    """How links in messages identify who follows them."""
    return Links(tuple(rule.hosts), tuple(rule.but), rule.expires)


def fatigue(policies: Policies) -> compiled.Fatigue | None:
    """How customers tire, None where they do not."""
    rule = policies.fatigue
    if rule is None:
        return None
    return compiled.Fatigue(
        rule.half_life, rule.seen, rule.dismissed, rule.clicked, rule.silence_at, frozenset(rule.tiers)
    )


def wording(purchases: Purchases) -> dict[str, str]:
    """Where a purchase says what was bought, as `engine.conditions.purchases` reads it."""
    return purchases.model_dump() | {"undone_by": purchases.undone_by or ""}


def shelves(actions: Iterable[compiled.Action]) -> dict[str, frozenset[str]]:
    """In which categories products lie, by the actions that name both."""
    found: dict[str, frozenset[str]] = {}
    for action in actions:
        product = action.facts.get("product")
        if product is not None and action.category is not None:
            found[product] = found.get(product, frozenset()) | {action.category}
    return found


def _bought(purchases: Purchases, rule: AfterPurchase) -> Tree:
    return _purchase(purchases, _subject(rule.product, rule.category), rule.within, full_price=False)


def _purchase(purchases: Purchases, subject: str, within: int, *, full_price: bool) -> Tree:
    return {"bought": {"name": subject, "within": within, "full_price": full_price, "read": wording(purchases)}}


def _subject(product: str | None, category: str | None) -> str:
    return f"{subjects.PRODUCT}{product}" if product is not None else f"{subjects.CATEGORY}{category}"


def _is_about(rule: AfterPurchase, action: compiled.Action, shelves: subjects.Shelves) -> bool:
    """Whether an action is about what was bought, or about a part of it."""
    if action.category is None and action.facts.get("product") is None:
        return False
    own = (_subject(action.facts.get("product"), action.category), _subject(None, action.category or ""))
    return any(subjects.lies_within(each, _subject(rule.product, rule.category), shelves) for each in own)


def _offer(action: files.Action, currency: str) -> compiled.Offer | None:
    offer = action.offer
    if offer is None:
        return None
    subject = _subject(action.product, action.category)
    price_minor = None if offer.price is None else money.minor_units(offer.price, currency)
    return compiled.Offer(subject, offer.discount, price_minor, offer.lasts)


def _start_ms(day: date | None, zone: str, *, plus_days: int) -> int | None:
    return None if day is None else zones.start_of_day_ms(day, zone, plus_days=plus_days)


def _facts(action: files.Action) -> dict[str, Any]:
    """The facts that `$action.…` reads. `value` is as written, because events state prices as decimals too."""
    facts = {
        "id": action.id,
        "tier": action.tier,
        "purpose": action.purpose,
        "category": action.category,
        "product": action.product,
        "group": action.group,
        "value": action.value,
    }
    return {name: fact for name, fact in facts.items() if fact is not None}
