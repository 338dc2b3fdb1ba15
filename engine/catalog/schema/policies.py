"""The shape of `policies.yaml`: the rules for all actions and journeys together."""

# ruff: noqa: RUF012  pydantic copies a default that can change
from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, model_validator

from engine.catalog.schema.grammar import (
    ActionRef,
    ChannelRef,
    Condition,
    DurationText,
    EventName,
    Id,
    Model,
    Path,
    Probability,
    PurposeRef,
    Some,
    Span,
    listed,
    milliseconds,
)
from engine.catalog.schema.stops import JourneyStop
from engine.values import countries
from engine.vocabulary import DAY_MS, Tier

_Tiers = Annotated[list[Tier], BeforeValidator(listed, json_schema_input_type=Tier | list[Tier])]
_Names = BeforeValidator(listed, json_schema_input_type=str | list[str])
Calendar = Literal["day", "week", "month"]
_CAP_WINDOW_MS_MAX = 366 * DAY_MS
_HOST = r"(\*\.)?[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*"
_LINK_MS_MAX = 7 * DAY_MS
_Factor = Annotated[float, Field(ge=0, le=1000)]


def _cap_limit(value: int) -> int:
    if value < 1:
        raise ValueError("a limit is at least 1: to send nothing at all, end the action's validity instead")
    return value


def _cap_span(value: Any) -> Any:
    """Within what a profile remembers of its messages."""
    if value in ("day", "week", "month"):
        return value
    duration_ms = milliseconds(value)
    if duration_ms == 0:
        raise ValueError("a duration of zero means nothing here")
    if duration_ms > _CAP_WINDOW_MS_MAX:
        raise ValueError("a cap looks back at most 366d")
    return duration_ms


_CapSpan = Annotated[int | Calendar, PlainValidator(_cap_span, json_schema_input_type=DurationText | Calendar)]


def _country(code: str) -> str:
    if not countries.is_country(code):
        raise ValueError("is no country by ISO 3166, two capital letters (DE), of which telephones are known")
    return code


def _host(name: str) -> str:
    if not re.fullmatch(_HOST, name):
        raise ValueError("is no host: shop.example, or *.shop.example for all below it")
    return name.lower()


def _short(duration_ms: int) -> int:
    if duration_ms > _LINK_MS_MAX:
        raise ValueError("a link that says who follows it is good for at most 7d")
    return duration_ms


class Workspace(Model):
    """`country`: where telephones without a country code are; `lateness`: an event older than this starts no journey;
    `reserve`: how long a decision holds its places; `journal`: how far back each customer can be replayed; `publish`:
    whether a changed directory takes effect by itself, or only once somebody has approved its plan."""

    zone: str = "UTC"
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "EUR"
    language: Annotated[str, Field(min_length=2)] = "en"
    country: Annotated[str, AfterValidator(_country)] = ""
    lateness: Span = 48 * 3_600_000
    journal: Span = 365 * 86_400_000
    reserve: Span = 30 * 60_000
    publish: Literal["watch", "approve"] = "watch"


class Match(Model):
    """The actions that a rule is about: each key is a value or a list of them, an absent one matches everything."""

    channel: Annotated[list[ChannelRef], Some, _Names] | None = None
    tier: Annotated[_Tiers, Some] | None = None
    action: Annotated[list[ActionRef], Some, _Names] | None = None
    purpose: Annotated[list[PurposeRef], Some, _Names] | None = None
    category: Annotated[list[str], Some, _Names] | None = None
    group: Annotated[list[str], Some, _Names] | None = None


class Cap(Model):
    """At most `limit` matching messages and displays in any window of length `per`, or in each calendar day, week or
    month of the customer's zone."""

    id: Id
    limit: Annotated[int, AfterValidator(_cap_limit)]
    per: _CapSpan
    window: Literal["rolling", "calendar"] = "rolling"
    match: Match = Match()

    @model_validator(mode="after")
    def _is_of_its_window(self) -> Cap:
        if (self.window == "calendar") != isinstance(self.per, str):
            raise ValueError("a rolling window is per 7d, a calendar window per day, week or month")
        return self


class Suppression(Model):
    """Holds the actions of `tier` (absent: all) while `when` is true."""

    id: Id
    tier: Tier | None = None
    when: Condition


class Stop(JourneyStop):
    """Ends the runs of `tier` (absent: all) when its event happens."""

    tier: Tier | None = None


class Budget(Model):
    """How often all customers together may get the matching actions: at most `limit` times, in each calendar day, week
    or month of the workspace's zone, or at all. Shards hold `block` tokens at a time."""

    id: Id
    limit: Annotated[int, Field(ge=1)]
    per: Calendar | None = None
    block: Annotated[int, Field(ge=1)] | None = None
    match: Match = Match()


class Lever(Model):
    """Multiplies the score of the actions that match."""

    id: Id
    weight: _Factor
    match: Match = Match()


class Fatigue(Model):
    """How tired a customer is of a category of messages, from 0 to 1; it halves with every `half_life`. A seen or
    dismissed message adds to it, a click takes away. A score counts (1 − fatigue) times; from `silence_at` on there is
    silence."""

    half_life: Span = 3 * DAY_MS
    seen: Probability = 0.1
    dismissed: Probability = 0.3
    clicked: Probability = 0.3
    silence_at: Annotated[float, Field(gt=0, le=1)] | None = None
    tiers: Annotated[_Tiers, Some] = ["lifecycle", "promotional"]


class Holdout(Model):
    """This share of the customers gets none of the matching actions, to learn what they are worth."""

    id: Id
    share: Probability
    match: Match = Match()


class Purchases(Model):
    """Where a purchase says what was bought: the event, the order's id and the list of items in it, and in each item
    the product, its sku, variant and category, how many pieces, and a discount (absent or 0: full price). `undone_by`
    is the event of a refund, which says the same in the same places."""

    event: EventName = "Order Completed"
    items: Path = "products"
    order: Path = "order_id"
    product: Path = "product_id"
    sku: Path = "sku"
    variant: Path = "variant"
    category: Path = "category"
    discount: Path = "discount"
    quantity: Path = "quantity"
    undone_by: EventName | None = "Order Refunded"


class AfterPurchase(Model):
    """For so long after a purchase in `category`, or of `product`, the actions in `show` take the place of the others
    about it: those are held, and these may be shown then only."""

    id: Id
    category: str | None = None
    product: str | None = None
    within: Span = Field(alias="for")
    show: Annotated[list[ActionRef], _Names] = []

    @model_validator(mode="after")
    def _is_about_one(self) -> AfterPurchase:
        if (self.category is None) == (self.product is None):
            raise ValueError("exactly one of category and product")
        return self


class Offers(Model):
    """`full_price`: for so long after a purchase at full price nobody sees a discount on that product."""

    full_price: Span | None = None


class Links(Model):
    """Links in messages to `hosts` of one's own (`*.shop.example`: all below it) tell who follows them, for so long
    after the message was sent; links to a path that begins with one of `but` do not."""

    hosts: list[Annotated[str, AfterValidator(_host)]] = []
    but: list[Annotated[str, Field(pattern="^/")]] = []
    expires: Annotated[Span, AfterValidator(_short)] = DAY_MS


class Policies(Model):
    """policies.yaml. `service_per_address`: at most so many service messages go to one e-mail address or telephone in
    any 24 hours, null for any number; `min_propensity`: an action that is less likely to be taken is not shown, silence
    is better; `on_dismissed`: whether a dismissed action gives its place under the caps back, or counts as seen."""

    workspace: Workspace = Workspace()
    caps: list[Cap] = []
    suppress: list[Suppression] = []
    stops: list[Stop] = []
    budgets: list[Budget] = []
    levers: list[Lever] = []
    fatigue: Fatigue | None = None
    holdouts: list[Holdout] = []
    purchases: Purchases = Purchases()
    after_purchase: list[AfterPurchase] = []
    offers: Offers = Offers()
    min_propensity: Probability = 0.0
    service_per_address: Annotated[int, Field(ge=1, le=1_000_000)] | None = 10
    on_dismissed: Literal["release", "count"] = "release"
    links: Links = Links()
