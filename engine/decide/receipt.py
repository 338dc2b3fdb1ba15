"""The receipt of a decision, small enough to keep for every silence
(`docs/decisions/0014-candidates-are-bits-and-a-receipt-is-planes-of-them.md`).

Which gate removed which candidate cannot be worked out again without the customer's state, so it is kept: for each
candidate the number of its reason, spread over as many planes of bits as the reasons need. Actions, values and weights
are in the catalog that the entry names; the terms of a score follow from the state at that turn.
"""

from __future__ import annotations

from typing import Any

import msgspec

from engine.catalog.compiled import Catalog
from engine.catalog.once_per_catalog import once_per_catalog
from engine.decide import placement_plan as plans
from engine.decide.gates import asking
from engine.decide.gates.candidates import Candidates
from engine.decide.placement_plan import PlacementPlan, bits
from engine.recent_events import Part
from engine.vocabulary import Outcome


class Receipt(Part):
    """The kept facts of one decision. `chosen` are numbers of candidates in the plan with their scores; `reasons` are
    numbers of `reasons_of`; `taken` is how many places each cap of the plan had taken after the decision."""

    decision: bytes
    request: str
    placement: str
    chosen: list[tuple[int, float]]
    reasons: list[int]
    planes: bytes
    taken: list[int]
    likely: list[str] = []  # noqa: RUF012 (profiles by a likely link, of whose context the decision has read)


@once_per_catalog
def reasons_of(catalog: Catalog) -> dict[str, int]:
    """Every reason for which a candidate of this catalog can be dropped, numbered."""
    return {reason: number for number, reason in enumerate(asking.numbered(catalog))}


def write(candidates: Candidates, decision: str, request: str) -> Receipt:
    """The receipt of a decision."""
    plan, numbers = candidates.plan, reasons_of(candidates.turn.catalog)
    masks: dict[str, int] = {}
    for reason, mask in candidates.dropped:
        masks[reason] = masks.get(reason, 0) | mask
    planes = [0] * len(masks).bit_length()
    for number, mask in enumerate(masks.values(), 1):  # 0 in all planes: no gate removed the candidate
        for place in bits(number):
            planes[place] |= mask
    return Receipt(
        bytes.fromhex(decision),
        request,
        plan.placement,
        [(i, points) for i, points, _ in candidates.chosen],
        [numbers[reason] for reason in masks],
        b"".join(plane.to_bytes(_plane_bytes(plan)) for plane in planes),
        [len(candidates.count.refs.get(cap.id, ())) for cap, _ in plan.caps],
        sorted(candidates.view.read_of),
    )


def read(kept: Any) -> Receipt:
    """The receipt of an entry that was read back from its plain form."""
    return kept if isinstance(kept, Receipt) else msgspec.convert(kept, Receipt)


def outcomes(receipt: Receipt, catalog: Catalog, channel: str) -> list[tuple[str, Outcome, str]]:
    """Each candidate with its outcome and reason, read back with the catalog that the decision was made by."""
    plan = plans.of_placement(catalog, channel, receipt.placement)
    names = list(reasons_of(catalog))
    size = _plane_bytes(plan)
    planes = [int.from_bytes(receipt.planes[at : at + size]) for at in range(0, len(receipt.planes), size)]
    chosen = [plan.actions[i].id for i, _ in receipt.chosen]
    rows: list[tuple[str, Outcome, str]] = [(action, "chosen", "") for action in chosen]
    dropped: list[tuple[str, Outcome, str]] = []
    for i, action in enumerate(plan.actions):
        number = sum((plane >> i & 1) << place for place, plane in enumerate(planes))
        if number:
            dropped.append((action.id, "dropped", names[receipt.reasons[number - 1]]))
        elif action.id not in chosen:
            rows.append((action.id, "outranked", f"outranked.{chosen[-1]}"))
    return rows + dropped


def shown(receipt: Receipt, catalog: Catalog | None, channel: str) -> dict[str, Any]:
    """The receipt as people read it; without its catalog, as much as can be said without it."""
    told: dict[str, Any] = {
        "decisionId": receipt.decision.hex(),
        "requestId": receipt.request,
        "placement": receipt.placement,
    }
    if receipt.likely:
        told["byLikelyLink"] = receipt.likely
    if catalog is None:
        return told
    plan, rows = plans.of_placement(catalog, channel, receipt.placement), outcomes(receipt, catalog, channel)
    return told | {
        "candidates": [{"actionId": action, "outcome": outcome, "reason": reason} for action, outcome, reason in rows],
        "scores": [points for _, points in receipt.chosen],
        "caps": [
            {"cap": cap.id, "limit": cap.limit, "taken": taken}
            for (cap, _), taken in zip(plan.caps, receipt.taken, strict=True)
        ],
    }


def _plane_bytes(plan: PlacementPlan) -> int:
    return max(1, (len(plan.actions) + 7) // 8)  # a placement may have no action at all
