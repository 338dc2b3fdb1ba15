"""The shape of `configs/`: one model for each kind of file, which judges names, types, bounds and references.

One pass over a file reports everything in it. Rules that need several files at once are in `engine.catalog.checks`.
"""

# ruff: noqa: RUF012  pydantic copies a default that can change
from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field, model_validator

from engine.catalog.schema.channels import Channels
from engine.catalog.schema.edits import Edit
from engine.catalog.schema.grammar import (
    ChannelRef,
    Condition,
    EventNames,
    Id,
    LocalDate,
    Model,
    ModelRef,
    NamespaceRef,
    Path,
    PlacementRef,
    Probability,
    PurposeRef,
    Some,
    Span,
)
from engine.catalog.schema.identity import Identity
from engine.catalog.schema.journeys import Journey
from engine.catalog.schema.models import PropensityModel
from engine.catalog.schema.policies import Policies
from engine.catalog.schema.tracking_plan import TrackingPlan
from engine.vocabulary import DAY_MS, Status, Tier


class Purpose(Model):
    """`default` holds where nothing was recorded. Promotional and lifecycle actions need consent on every channel but
    those under `no_consent_needed`; service actions on `channels` alone."""

    channels: list[ChannelRef] = []
    no_consent_needed: list[ChannelRef] = []
    default: bool = False

    @model_validator(mode="after")
    def _says_one_thing(self) -> Purpose:
        both = sorted({*self.channels} & {*self.no_consent_needed})
        if both:
            raise ValueError(f"{', '.join(both)} stands under channels and under no_consent_needed")
        return self


class Consent(Model):
    """consent.yaml. `events` are track events that carry `{purpose, channel, granted}`; `sensitive` are traits by which
    nothing may be decided."""

    purposes: dict[Id, Purpose] = {}
    events: EventNames = []
    sensitive: list[Path] = []


class Propensity(Model):
    """Exactly one of a constant, a trait with a batch score (`default` where it is missing), or a trained model."""

    constant: Probability | None = None
    trait: Path | None = None
    default: Probability = 0.0
    model: ModelRef | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Propensity:
        if sum(way is not None for way in (self.constant, self.trait, self.model)) != 1:
            raise ValueError("exactly one of constant, trait and model")
        return self


class Validity(Model):
    """Dates in the workspace's zone, both inclusive."""

    from_: LocalDate | None = Field(default=None, alias="from")
    until: LocalDate | None = None

    @model_validator(mode="after")
    def _is_some_time(self) -> Validity:
        if self.from_ and self.until and self.until < self.from_:
            raise ValueError("until lies before from")
        return self


class Variant(Model):
    """One form of an action. Its content stands under the names of channels: `email: {subject, template}`,
    `web: {content: {…}}`."""

    model_config = ConfigDict(extra="allow")

    id: Id
    weight: Annotated[float, Field(gt=0)] = 1.0


class Offer(Model):
    """The promise of an action on its product, else its category: so many percent off, or a price in the workspace's
    currency. Once seen it is valid for `lasts`, and only a higher discount may replace it."""

    discount: Annotated[float, Field(gt=0, le=100)]
    price: Annotated[float, Field(ge=0, le=1e9)] | None = None
    lasts: Span = 7 * DAY_MS


class Action(Model):
    """actions/*.yaml, one action a file. `value` is the expected margin in the workspace's currency. `texts`: whether
    people inside a journey get the texts that they entered with, or those of the active catalog."""

    id: Id
    status: Status = "live"
    texts: Literal["entered", "current"] = "entered"
    tier: Tier
    purpose: PurposeRef
    channels: Annotated[list[ChannelRef], Some]
    placements: list[PlacementRef] = []
    category: str | None = None
    product: str | None = None
    group: str | None = None
    value: Annotated[float, Field(ge=0, le=1e9)] = 0
    weight: Annotated[float, Field(ge=0)] = 1.0
    propensity: Propensity = Propensity(constant=1.0)
    valid: Validity = Validity()
    eligible: Condition | None = None
    because: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    offer: Offer | None = None
    variants: Annotated[list[Variant], Some] = [Variant(id="default")]

    @model_validator(mode="after")
    def _offers_something(self) -> Action:
        if self.offer is not None and self.product is None and self.category is None:
            raise ValueError("an offer is on the action's product or category, and it has neither")
        return self


class Placement(Model):
    """`default` is what it shows when no action is chosen; of one category no more than `per_category` at a time."""

    id: Id
    channel: ChannelRef
    default: dict[str, Any] = {}
    per_category: Annotated[int, Field(ge=1)] | None = None


class Placements(Model):
    """placements.yaml"""

    placements: list[Placement] = []


class Segments(Model):
    """segments.yaml"""

    segments: dict[Id, Condition] = {}


class Source(Model):
    """`channel`: where its events happen; need not be one that messages go out on (a point of sale).

    About its write key, which is public: `grants`: the purposes (`*`: all) that it may grant consent to; `events`: the
    track events that it may send, absent for any; `user_hash: required`: it proves each user id; `things`: it may tell
    facts about things, as a price drop.

    About who is who, whatever its key: `identify`: the namespaces by which it finds people who are known; `link`: it
    may give an identifier that nobody has to a person; `merge`: its server key may join two profiles that exist. A
    write key identifies by user_id, device_id and anonymous_id where nothing else is said, and never merges.
    """

    channel: Id
    grants: list[PurposeRef | Literal["*"]] = []
    events: EventNames | None = None
    user_hash: Literal["optional", "required"] = "optional"
    identify: list[NamespaceRef] | None = None
    link: bool | None = None
    merge: bool | None = None
    things: bool = False


class Sources(Model):
    """sources.yaml: the name of a write key → what it stands for."""

    sources: dict[str, Source] = {}


class Word(Model):
    """The word on one journey or action beside its own file: the operator's `status`, and in `round` how often it has
    ended. Runs and sends of an earlier round are over. `edits` are those of a journey that move or stop who is inside,
    the oldest first."""

    status: Status = "live"
    round: Annotated[int, Field(ge=0)] = 0
    edits: list[Edit] = []


class Operator(Model):
    """The operator's words, and the ends: kept in the document by the engine, never a file of the directory."""

    journeys: dict[str, Word] = {}
    actions: dict[str, Word] = {}


FILES: Final[dict[str, type[Model]]] = {
    "identity.yaml": Identity,
    "consent.yaml": Consent,
    "channels.yaml": Channels,
    "policies.yaml": Policies,
    "placements.yaml": Placements,
    "segments.yaml": Segments,
    "sources.yaml": Sources,
    "tracking_plan.yaml": TrackingPlan,
}
OPERATOR: Final = "operator.yaml"
MATCHING: Final = ".json"  # how the file of a model of matching ends
FOLDERS: Final[dict[str, type[Model]]] = {"actions": Action, "journeys": Journey, "models": PropensityModel}


def model_of(file: str) -> type[Model] | None:
    """The model that judges a file of the document, None for a template or an unknown one."""
    if file == OPERATOR:
        return Operator
    folder, _, name = file.rpartition("/")
    return FOLDERS.get(folder) if name.endswith(".yaml") and folder else FILES.get(file)


def is_beside_models(file: str) -> bool:
    """A model in a format of its own, which a file in `models/` names, or identity.yaml."""
    return file.startswith("models/") and file.endswith((".onnx", MATCHING))


def is_of_matching(file: str) -> bool:
    """A model of matching, as `segue identity train` writes it."""
    return file.startswith("models/") and file.endswith(MATCHING)


def json_schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema of each kind of file, for editors: `policies` … and `action`, `journey`."""
    kinds = {file.removesuffix(".yaml"): model for file, model in FILES.items()}
    kinds |= {folder.removesuffix("s"): model for folder, model in FOLDERS.items()}
    return {kind: model.model_json_schema() for kind, model in kinds.items()}
