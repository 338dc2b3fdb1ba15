"""The shape of `configs/`: one model for each kind of file, which judges names, types, bounds and references.

One pass over a file reports everything in it. What needs several files at once is `check.py`'s.
"""

# ruff: noqa: RUF012  pydantic copies a default that can change
from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from engine.catalog.schema_grammar import (
    ActionRef,
    CapSpan,
    ChannelRef,
    Condition,
    EventNames,
    Id,
    LocalDate,
    Model,
    NamespaceRef,
    Path,
    PlacementRef,
    Probability,
    PurposeRef,
    Some,
    Span,
    cap_limit,
    listed,
    no_such_model,
)
from engine.catalog.schema_journeys import Journey, JourneyStop
from engine.vocabulary import Tier


def _blocked_text(value: Any) -> Any:
    """A blocked value as clients send it: `null`, `0` and `-1` are written bare in YAML."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool | int) else value


class Namespace(Model):
    """`blocked`: values that never identify anyone, beside the built-in ones (`null`, `0`, `anonymous` …)."""

    blocked: list[Annotated[str, BeforeValidator(_blocked_text, json_schema_input_type=str | int | None)]] = []


class Identity(Model):
    """identity.yaml"""

    namespaces: dict[Id, Namespace] = {}


class Purpose(Model):
    """`channels` need consent for it; `default` holds there where nothing was recorded."""

    channels: list[ChannelRef] = []
    default: bool = False


class Consent(Model):
    """consent.yaml. `events` are track events that carry `{purpose, channel, granted}`; `sensitive` are traits by which
    nothing may be decided."""

    purposes: dict[Id, Purpose] = {}
    events: EventNames = []
    sensitive: list[Path] = []


class Channel(Model):
    """A way to reach a person. Provider `none` is asked, never sent to (a web page); `sandbox` only writes down.

    A host, port or credential may be named by environment variable (`…_env`), which wins over the value beside it.
    Other keys are the adapter's own settings, each a text, a number or a truth value.
    """

    model_config = ConfigDict(extra="allow")

    id: Id
    provider: Literal["smtp", "sandbox", "none"]
    address: NamespaceRef | None = None
    host: str | None = None
    host_env: str | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    port_env: str | None = None
    sender: str | None = None
    sender_env: str | None = None
    username_env: str | None = None
    password_env: str | None = None
    tls: Literal["none", "starttls", "implicit"] | None = None
    timeout_s: Annotated[float, Field(gt=0, le=600)] | None = None

    @model_validator(mode="after")
    def _can_send(self) -> Channel:
        if self.provider == "smtp" and not (
            self.address and (self.host or self.host_env) and (self.sender or self.sender_env)
        ):
            raise ValueError("an smtp channel needs address, host and sender")
        return self


class Channels(Model):
    """channels.yaml"""

    channels: list[Channel] = []


class Workspace(Model):
    """`lateness`: an event older than this starts no journey; `reserve`: how long a decision holds its places;
    `journal`: how far back each customer can be replayed."""

    zone: str = "UTC"
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "EUR"
    language: Annotated[str, Field(min_length=2)] = "en"
    lateness: Span = 48 * 3_600_000
    journal: Span = 365 * 86_400_000
    reserve: Span = 30 * 60_000


_Tiers = Annotated[list[Tier], BeforeValidator(listed, json_schema_input_type=Tier | list[Tier])]
_Names = BeforeValidator(listed, json_schema_input_type=str | list[str])


class CapMatch(Model):
    """What a cap counts; each key a value or a list of them, an absent one matches everything."""

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
    limit: Annotated[int, AfterValidator(cap_limit)]
    per: CapSpan
    window: Literal["rolling", "calendar"] = "rolling"
    match: CapMatch = CapMatch()

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


class Policies(Model):
    """policies.yaml"""

    workspace: Workspace = Workspace()
    caps: list[Cap] = []
    suppress: list[Suppression] = []
    stops: list[Stop] = []


class Propensity(Model):
    """Exactly one of a constant, a trait with a batch score (`default` where it is missing), or a trained model."""

    constant: Probability | None = None
    trait: Path | None = None
    default: Probability = 0.0
    model: Annotated[str, AfterValidator(no_such_model)] | None = None

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
    """Its content stands under the names of channels: `email: {subject, template}`, `web: {content: {…}}`."""

    model_config = ConfigDict(extra="allow")

    id: Id
    weight: Annotated[float, Field(gt=0)] = 1.0


class Action(Model):
    """actions/*.yaml, one action a file. `value` is the expected margin in the workspace's currency."""

    id: Id
    tier: Tier
    purpose: PurposeRef
    channels: Annotated[list[ChannelRef], Some]
    placements: list[PlacementRef] = []
    category: str | None = None
    group: str | None = None
    value: Annotated[float, Field(ge=0, le=1e9)] = 0
    weight: Annotated[float, Field(ge=0)] = 1.0
    propensity: Propensity = Propensity(constant=1.0)
    valid: Validity = Validity()
    eligible: Condition | None = None
    variants: Annotated[list[Variant], Some] = [Variant(id="default")]


class Placement(Model):
    """`default` is what it shows when no action is chosen."""

    id: Id
    channel: ChannelRef
    default: dict[str, Any] = {}


class Placements(Model):
    """placements.yaml"""

    placements: list[Placement] = []


class Segments(Model):
    """segments.yaml"""

    segments: dict[Id, Condition] = {}


class Source(Model):
    """`channel`: where its events happen; need not be one that messages go out on (a point of sale)."""

    channel: Id


class Sources(Model):
    """sources.yaml: the name of a write key → what it stands for."""

    sources: dict[str, Source] = {}


FILES: Final[dict[str, type[Model]]] = {
    "identity.yaml": Identity,
    "consent.yaml": Consent,
    "channels.yaml": Channels,
    "policies.yaml": Policies,
    "placements.yaml": Placements,
    "segments.yaml": Segments,
    "sources.yaml": Sources,
}
FOLDERS: Final[dict[str, type[Model]]] = {"actions": Action, "journeys": Journey}


def model_of(file: str) -> type[Model] | None:
    """The model that judges a file of the document, None for a template or an unknown one."""
    folder, _, name = file.rpartition("/")
    return FOLDERS.get(folder) if name.endswith(".yaml") and folder else FILES.get(file)


def json_schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema of each kind of file, for editors: `policies` … and `action`, `journey`."""
    kinds = {file.removesuffix(".yaml"): model for file, model in FILES.items()}
    kinds |= {folder.removesuffix("s"): model for folder, model in FOLDERS.items()}
    return {kind: model.model_json_schema() for kind, model in kinds.items()}
