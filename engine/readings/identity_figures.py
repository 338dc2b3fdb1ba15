"""The figures of identity: what a record counts as, and what the counts of all shards say together.

A record counts under labels, so that counts of shards add up, and a change of one record is a difference of labels.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from functools import cache
from math import sqrt
from typing import Any, Final

from engine.catalog.identity_rules import IdentityRules
from engine.parts.of_identity import ReviewEntry
from engine.profile import Profile, Tombstone

KNOWN, ANONYMOUS = "known", "anonymous"
MERGES, SPLITS = "merges", "splits"
SO_FAR: Final = (KNOWN, ANONYMOUS, MERGES, SPLITS)  # of events, by whose they were; and of what became of profiles
LIKELY, SHARED = "likely", "shared"
REVIEW_STATES: Final = ("open", "accepted", "dismissed")
REVIEW_KINDS: Final = ("merge", "split", "shared", "candidate")
IDENTIFIERS: Final = (0, 1, 2, 3, 4, 5, 10, 20)  # the upper edges of the histogram of identifiers per profile
MORE: Final = "more"
EDGES: Final = (*map(str, IDENTIFIERS), MORE)

_Z_95: Final = 1.959964  # of the normal distribution: 95 % lie within


def knowing(rules: IdentityRules) -> frozenset[str]:
    """The namespaces whose identifiers make a profile a known one."""
    return frozenset(name for name, namespace in rules.namespaces.items() if namespace.knows)


def is_known(profile: Profile, namespaces: frozenset[str]) -> bool:
    """Whether a profile has an identifier of one of these namespaces that is not shared by several people."""
    return any(link.namespace in namespaces and not link.shared for link in profile.identifiers)


def labels_of(record: Profile | Tombstone, namespaces: frozenset[str]) -> tuple[str, ...]:
    """What a record counts as. A tombstone counts only where its place is that of a shared value."""
    if isinstance(record, Tombstone):
        return (SHARED,) if record.shared else ()
    if record.is_blank:
        return ()
    whose = KNOWN if is_known(record, namespaces) else ANONYMOUS
    edge = EDGES[bisect_left(IDENTIFIERS, len(record.identifiers))]
    return _labels(whose, edge, bool(record.likely), record.id in record.shared)


@cache
def _labels(whose: str, edge: str, is_likely: bool, is_shared: bool) -> tuple[str, ...]:
    """One tuple for all records that count alike: a shard remembers one for each record in memory."""
    return (whose, identifiers_label(edge), *((LIKELY,) if is_likely else ()), *((SHARED,) if is_shared else ()))


def identifiers_label(edge: str) -> str:
    """The count of profiles in a bucket of the histogram, by its upper edge."""
    return f"identifiers/{edge}"


def review_label(kind: str, state: str) -> str:
    """The count of entries of the review queue of a kind in a state."""
    return f"review/{kind}/{state}"


def label_of_write_key(source: str) -> str:
    """The count of open entries of the review queue that one write key has caused."""
    return f"review by write key/{source}"


def labels_of_review(entry: ReviewEntry) -> tuple[str, ...]:
    """What an entry of the review queue counts as."""
    label = review_label(entry.kind, entry.state)
    return (label, label_of_write_key(entry.source)) if entry.public and entry.state == "open" else (label,)


def told(
    people: Mapping[str, int] | None, so_far: Mapping[str, int], *, is_matching: bool, is_compared: bool = False
) -> dict[str, Any]:
    """The figures of an engine as plain data, from the sums over its shards: `people` are counts of what is there now
    (None while they are being counted), `so_far` of what has happened. `is_matching`: the catalog looks for profiles
    that no identifier joins; `is_compared`: it has compared some with others."""

    def now(label: str) -> int | None:
        return None if people is None else people.get(label, 0)

    return {
        "profiles": _matched(now(KNOWN), now(ANONYMOUS)),
        "events": _matched(so_far.get(KNOWN, 0), so_far.get(ANONYMOUS, 0)),
        "identifiersPerProfile": {edge: now(identifiers_label(edge)) for edge in EDGES},
        "merges": so_far.get(MERGES, 0),
        "splits": so_far.get(SPLITS, 0),
        "sharedValues": now(SHARED),
        "likely": now(LIKELY),
        "reviews": {kind: {state: now(review_label(kind, state)) for state in REVIEW_STATES} for kind in REVIEW_KINDS},
        "duplicates": _duplicates(people, is_matching=is_matching, is_compared=is_compared),
    }


def _matched(known: int | None, anonymous: int | None) -> dict[str, Any]:
    """Counts of what belongs to known people and to anonymous ones, and the share of the known."""
    total = (known or 0) + (anonymous or 0)
    return {KNOWN: known, ANONYMOUS: anonymous, "matchRate": _share(known or 0, total)}


def _duplicates(people: Mapping[str, int] | None, *, is_matching: bool, is_compared: bool) -> dict[str, Any]:
    """The share of profiles that are probably a second profile of somebody.

    Suspects are the second profiles of the pairs that matching has found: its open candidates, or half of the profiles
    with a likely link, as both of a pair have one. People who decided about candidates say which share of suspects is
    right: with Wilson's interval of 95 % (Wilson, 1927), as there may be few decisions. Without any decision only the
    bounds are known, and without a comparison nothing is. What matching does not see (two profiles without a block in
    common) is not in it.
    """
    unknown = {"rate": None, "low": None, "high": None}
    if people is None:
        return {"suspects": None, "decided": None} | unknown
    profiles, likely = people.get(KNOWN, 0) + people.get(ANONYMOUS, 0), people.get(LIKELY, 0)
    waits, accepted, dismissed = (people.get(review_label("candidate", state), 0) for state in REVIEW_STATES)
    suspects = min(max(waits, (likely + 1) // 2), max(profiles - 1, 0))
    found: dict[str, Any] = {"suspects": suspects, "decided": accepted + dismissed}
    if not is_matching or not profiles or not (is_compared or likely or waits or accepted or dismissed):
        return found | unknown
    share = suspects / profiles
    right = _share(accepted, accepted + dismissed)
    low, high = wilson(accepted, accepted + dismissed)
    rate = 0.0 if not suspects else None if right is None else share * right
    return found | {"rate": rate, "low": share * low, "high": share * high}


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The interval of 95 % of a share of which `hits` of `of` were seen; (0, 1) where nothing was."""
    if not of:
        return 0.0, 1.0
    share, z2 = hits / of, _Z_95 * _Z_95
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = _Z_95 * sqrt(share * (1 - share) / of + z2 / (4 * of * of)) / (1 + z2 / of)
    return max(0.0, middle - half), min(1.0, middle + half)


def freshness(bounds: Iterable[float], counts: list[int]) -> dict[str, Any]:
    """A histogram of how old events were when they were durable. `bounds` are upper edges in seconds; `counts` has one
    more, for what is above all of them. A quantile is the edge of its bucket: at most so old; None above the last."""
    edges: list[float | None] = [*bounds, None]
    total, upto = sum(counts), 0
    within: dict[str, int] = {}
    quantiles: dict[str, float | None] = {"p50": None, "p99": None}
    missing = {"p50": 0.5 * total, "p99": 0.99 * total}
    for edge, count in zip(edges, counts, strict=True):
        upto += count
        within["+Inf" if edge is None else f"{edge:g}"] = upto
        for name in [name for name, rank in missing.items() if total and upto >= rank]:
            quantiles[name] = edge
            del missing[name]
    return {"events": total, "atMostSeconds": quantiles, "within": within}


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
