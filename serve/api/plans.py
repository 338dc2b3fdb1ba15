"""The models of plans: what would become of everybody inside if another catalog were active."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from engine.catalog.schema.of_steps.editing import MAP_MAX
from serve.api.types import ABSENT, VERSION, Answer, Body, example

Rest = Literal["follow", "finish", "stop"]
FILES: Final = {"channels.yaml": "channels:\n  - {id: web, provider: none}\n"}


class StatedRule(Body):
    """What becomes of whoever is inside a journey that changes: `map` leads from steps to steps of the new version,
    `rest` is about everybody else."""

    rest: Rest = "finish"
    map: dict[str, str] = Field({}, max_length=MAP_MAX)


class ProposalBody(Body):
    """The files of an edit by their names in `configs/`, as YAML texts (templates as they are). `models` are its files
    that are no text, in base 64. `rules`, by journey, take the place of what the files say."""

    model_config = example(files=FILES, rules={"abandoned_cart": {"rest": "follow", "map": {"ask": "remind"}}})

    files: dict[str, str] = Field(min_length=1)
    models: dict[str, str] = Field({})
    rules: dict[str, StatedRule] = Field({})


class ApplyBody(ProposalBody):
    """The same, with the id of the plan that was seen: where something has changed since, nothing is done."""

    model_config = example(files=FILES, plan="5e1d0c9f7a3b2846")

    plan: str = Field("", max_length=100)


class RollbackBody(Body):
    """The version to go back to (`previous`: the one whose files were active before), and what becomes of whoever is
    inside a journey that changes by that."""

    model_config = example(to="previous", inside="follow")

    to: str = Field("previous", min_length=1, max_length=100)
    inside: Rest = "follow"
    plan: str = Field("", max_length=100)


class PlanFiles(Answer):
    """The files that differ from those of the active catalog."""

    added: list[str]
    changed: list[str]
    removed: list[str]


class PlanRule(Answer):
    """The rule of an edit; `stated` says whether somebody stated it."""

    rest: Rest
    map: dict[str, str]
    stated: bool


class Becomes(Answer):
    """How many customers there are of each outcome."""

    follow: int
    map: int
    finish: int
    stop: int


class PlanStep(Answer):
    """A step that changes, and how many customers may still come to it, stand at it, and will not come to it any
    more."""

    step: str
    kind: str
    change: Literal["changed", "new", "removed"]
    before: int
    at: int
    after: int


class PlanPlace(Answer):
    """A step of a version."""

    version: str
    step: str


class PlanGroup(Answer):
    """Customers at one step of one version, and what becomes of them. `to` is where they go on, `reason` why they stop,
    or why they finish though everybody was to follow."""

    version: str
    step: str
    customers: int
    runs: int
    becomes: Literal["follow", "map", "finish", "stop"]
    to: PlanPlace = ABSENT
    reason: str = ABSENT


class PlanJourney(Answer):
    """A journey that an edit changes, and everybody inside it. `shared` are segments and suppression rules that it asks
    for and that change, at once for everybody inside; `change` is `shared` where nothing else does."""

    journey: str
    change: Literal["new", "changed", "removed", "stopped", "shared"]
    rule: PlanRule
    customers: int
    runs: int
    becomes: Becomes
    steps: list[PlanStep]
    groups: list[PlanGroup]
    shared: list[str]


PLAN: Final = {
    "plan": "5e1d0c9f7a3b2846",
    "catalogVersion": VERSION,
    "proposed": "0b7d2f61c5aa",
    "files": {"added": [], "changed": ["journeys/abandoned_cart.yaml"], "removed": []},
    "journeys": [
        {
            "journey": "abandoned_cart",
            "change": "changed",
            "rule": {"rest": "follow", "map": {}, "stated": True},
            "customers": 1200,
            "runs": 1203,
            "becomes": {"follow": 900, "map": 0, "finish": 300, "stop": 0},
            "steps": [{"step": "remind", "kind": "send", "change": "changed", "before": 900, "at": 0, "after": 300}],
            "groups": [
                {
                    "version": VERSION,
                    "step": "ask",
                    "customers": 900,
                    "runs": 902,
                    "becomes": "follow",
                    "to": {"version": "0b7d2f61c5aa", "step": "ask"},
                },
                {
                    "version": VERSION,
                    "step": "pause",
                    "customers": 300,
                    "runs": 301,
                    "becomes": "finish",
                    "reason": "step.gone",
                },
            ],
            "shared": [],
        }
    ],
    "warnings": [],
}


class PlanAnswer(Answer):
    """What would become of everybody inside; nothing has changed. `plan` is the id by which it is approved. `warnings`
    are settings that are hardly meant."""

    model_config = example(**PLAN)

    plan: str
    catalogVersion: str
    proposed: str
    files: PlanFiles
    journeys: list[PlanJourney]
    warnings: list[str]


class AppliedAnswer(Answer):
    """The version that decides now, the one before it, and the plan as it was when it was done."""

    model_config = example(catalogVersion="0b7d2f61c5aa", previous=VERSION, planned=PLAN)

    catalogVersion: str
    previous: str
    planned: PlanAnswer
