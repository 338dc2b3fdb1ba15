"""The compiled catalog: what `configs/` says, immutable, checked, and named by the hash of its content.

Durations are milliseconds, money is minor units, dates are UTC instants. A catalog keeps the plain document that it was
compiled from, so that a journal can name a version and a restart can compile it again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from engine.catalog.identity_rules import IdentityRules
from engine.catalog.permissions import Links, Purpose, Source
from engine.catalog.programs.instructions import Step as Step
from engine.catalog.sending.compiled import UNGUARDED, Guards
from engine.catalog.triggers import Beginning, LastingStop, Outcome, StopRule, Trigger
from engine.conditions.binding import Tree, bind
from engine.conditions.purchases import Wording
from engine.conditions.readable import Condition
from engine.propensity.models import Scorer
from engine.vocabulary import DAY_MS


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to reach a person. `address` is the namespace of the identifier that it needs; empty where it needs none.

    A message that the provider surely did not take is tried again for `retry_for_ms` after its decision. `settings` are
    the adapter's own (host, port, sender …); credentials are named by environment variable, never held.
    """

    id: str
    provider: str
    address: str
    settings: Mapping[str, Any]
    retry_for_ms: int = DAY_MS
    cost: float = 0.0  # of a message, in the workspace's currency


@dataclass(frozen=True, slots=True)
class Placement:
    """A place in a front end. `default` is what it shows when no action is chosen."""

    id: str
    channel: str
    default: Mapping[str, Any]
    per_category: int | None  # of one category no more at a time


@dataclass(frozen=True, slots=True)
class Variant:
    """One form of an action; `content` by channel (an e-mail has `subject` and `template`, web has `content`)."""

    id: str
    weight: float
    content: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Propensity:
    """How likely the action is to be taken: a constant, a trait that carries a batch score (`default` without it), or a
    model's scorer."""

    constant: float | None
    trait: str | None
    default: float
    scorer: Scorer | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """A promise on `subject` (`product sku-1`, `category shoes`): so many percent off, perhaps a price."""

    subject: str
    discount: float
    price_minor: int | None
    lasts_ms: int


@dataclass(frozen=True, slots=True)
class Action:
    """A thing that a decision can choose, for customers of whom all of `eligible` holds. `eligible` is made of `asked`,
    the condition of its file, and of the policies. `$action.…` reads `facts`."""

    id: str
    tier: str
    purpose: str
    channels: tuple[str, ...]
    placements: frozenset[str]
    category: str | None
    value_minor: int
    weight: float
    propensity: Propensity
    valid_from_ms: int | None
    valid_until_ms: int | None  # exclusive
    eligible: tuple[Tree, ...]
    offer: Offer | None
    full_price: Tree | None  # its offer is not shown to those of whom this holds
    variants: tuple[Variant, ...]
    because: str  # why a customer sees it, in its own words
    facts: Mapping[str, Any]
    status: str = "live"  # the stricter of its file's and the operator's; `removed` where the active catalog has none
    round: int = 0  # how often it has ended
    texts: Literal["entered", "current"] = "entered"
    asked: Tree | None = None


@dataclass(frozen=True, slots=True)
class Cap:
    """At most `limit` matching places with time > now − `per_ms`; with `calendar`, in the current day, week (from
    Monday) or month of the customer's zone. An absent field of `match` matches everything."""

    id: str
    limit: int
    per_ms: int
    calendar: Literal["day", "week", "month"] | None
    match: Mapping[str, frozenset[str]]  # keys: channel, tier, action, purpose, category, group


@dataclass(frozen=True, slots=True)
class Suppression:
    """Holds back every action of `tier` (None: any), or those in `only`, while `tree` is true of the customer, with the
    facts of the action in it. `tree` is made of `asked`, the condition of its file; `when` asks it without an
    action."""

    id: str
    tier: str | None
    tree: Tree
    when: Condition
    only: frozenset[str] | None = None
    asked: Tree | None = None

    def of(self, action: Action) -> Tree | None:
        """The tree with an action's facts in it; None where the rule is not about that action."""
        if self.tier not in (None, action.tier) or not (self.only is None or action.id in self.only):
            return None
        return bind(self.tree, action.facts)


@dataclass(frozen=True, slots=True)
class Budget:
    """Each matching display or send costs a token. There are `limit` of them for all customers together, in each
    `period` of the workspace's zone, in each `per_ms` (0: none), or at all. Shards lease them in blocks of `block`."""

    id: str
    limit: int
    period: Literal["day", "week", "month"] | None
    block: int
    match: Mapping[str, frozenset[str]]
    per_ms: int = 0


@dataclass(frozen=True, slots=True)
class Lever:
    """Multiplies the score of each matching action; it matches as a cap does."""

    id: str
    weight: float
    match: Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Holdout:
    """A share of the customers, 0 to 1, that gets none of the matching actions."""

    id: str
    share: float
    match: Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Fatigue:
    """How a customer tires of a category. A seen or dismissed message raises the level, a clicked one lowers it; it
    halves with every `half_life_ms`. From `silence_at` on, actions of `tiers` in that category are held back."""

    half_life_ms: int
    seen: float
    dismissed: float
    clicked: float
    silence_at: float | None
    tiers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Edit:
    """An edit of a journey that moves or stops who is inside (`engine.catalog.editing`). `map` leads from steps of the
    version before to steps of this one; `rest` is about everybody else. `version` is a catalog that has the journey as
    this edit made it; empty: the active one."""

    number: int
    version: str
    rest: Literal["follow", "finish", "stop"]
    map: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Journey:
    """A program over time for one customer. Its trigger starts it; each value of `key` has runs of its own. `begins` is
    what has to be watched for the trigger; None where that is an event of the customer's."""

    id: str
    tier: str
    trigger: Trigger
    when: Condition  # entry condition on the profile, beside the trigger
    key: str | None  # path in the event's properties
    after_ms: int  # from the end of the last run of that key
    concurrent: int
    stops: tuple[StopRule, ...]
    steps: tuple[Step, ...]
    status: str = "live"  # the stricter of its file's and the operator's
    round: int = 0  # how often it has ended
    begins: Beginning | None = None
    outcome: Outcome | None = None  # what it is measured by
    guards: Guards = UNGUARDED
    lasting_stops: tuple[LastingStop, ...] = ()
    edits: tuple[Edit, ...] = ()  # the oldest first

    @property
    def edition(self) -> int:
        """The number of the last edit that moved or stopped who was inside; 0 without one."""
        return self.edits[-1].number if self.edits else 0


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Catalog:
    """Everything the engine decides by. `archive` holds older catalogs that runs still name, by version. Rules keep
    what they work out of a catalog beside it, not in it (`engine.catalog.once_per_catalog`)."""

    version: str  # 16 hex digits of the document's blake2b
    document: bytes  # canonical msgpack of {file: plain data}, templates included
    zone: str
    tzdata: str
    currency: str
    language: str
    country: str  # where telephones without a country code are; empty: not said
    lateness_ms: int
    journal_ms: int  # how long inputs are kept one by one
    reserve_ms: int  # how long a decision holds its places (30 min)
    channels: Mapping[str, Channel]
    placements: Mapping[str, Placement]
    purposes: Mapping[str, Purpose]
    consent_events: frozenset[str]  # track events that carry consent: {purpose, channel, granted}
    actions: Mapping[str, Action]  # sorted by id
    shown_at: Mapping[str, tuple[Action, ...]]  # the same by placement
    journeys: Mapping[str, Journey]  # sorted by id
    entered_by: Mapping[str, tuple[Journey, ...]]  # the same by the event that triggers them
    measured_by: Mapping[str, tuple[Journey, ...]]  # and by the event of its outcome
    caps: tuple[Cap, ...]
    cap_kind: Callable[[Any], Any]  # the fields of a place that tell which caps count it
    suppressions: tuple[Suppression, ...]
    purchases: Wording  # the event and the paths of purchases
    shelves: Mapping[str, frozenset[str]]  # in which categories products lie, by the actions that have both
    min_propensity: float
    service_per_address: int  # a day; 0: any number
    counts_dismissed: bool  # whether a dismissed display keeps its place under the caps
    budgets: tuple[Budget, ...]
    levers: tuple[Lever, ...]
    holdouts: tuple[Holdout, ...]
    fatigue: Fatigue | None
    stops: tuple[StopRule, ...]
    stops_on: Mapping[str, tuple[StopRule, ...]]  # the same by their event
    stop_names: frozenset[str]  # every event that a global stop or a journey's own is on
    segments: Mapping[str, Condition]
    sources: Mapping[str, Source]  # by name of a key; a name that is not here may grant nothing
    templates: Mapping[str, str]
    plan: Any  # the tracking plan (`engine.catalog.tracking`)
    identity: IdentityRules  # who is who
    links: Links
    lasting_stops: tuple[LastingStop, ...]
    archive: dict[str, Catalog] = field(default_factory=dict)
    # The workspace's secret that keys every id and draw: given by the shell, never part of the version.
    id_key: bytes = b""
    is_chained: bool = True  # whether turns seal their audit entries; not in a simulation, where nobody verifies them

    def of_version(self, version: str) -> Catalog:
        """This catalog, or the older one that a run names; this one where the older is gone."""
        return self if version == self.version else self.archive.get(version, self)
