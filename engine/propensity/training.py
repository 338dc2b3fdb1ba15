"""Fits a model to the outcomes of shown actions, and judges it on customers that it has not seen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from engine import seeds
from engine.errors import UsageError

ROWS_MIN: Final = 50
_HELD_OUT: Final = 0.25
_KEY: Final = b"segue: which customers a model is judged by"
_DECILES: Final = 10
_DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Shown:
    """An action that a customer saw, the facts about them when it was chosen, and whether they took it. `numbers` are
    the model's features, `context` is the word by which its rates are told apart."""

    customer: str
    at_ms: int
    action: str
    numbers: Sequence[float]
    context: str
    taken: bool


@dataclass(frozen=True, slots=True)
class Quality:
    """The quality of a model on the held-out customers. `calibration` has a row for each tenth, by rising chance: how
    many, the mean chance, and the share that was taken."""

    rows: int
    held_out: int
    base_rate: float
    auc: float
    log_loss: float
    calibration: tuple[tuple[int, float, float], ...]


def split(rows: Sequence[Shown]) -> tuple[list[Shown], list[Shown]]:
    """The rows to learn from, and those of the customers that are held out: always the same ones."""
    held = {row.customer for row in rows if seeds.draw(_KEY, row.customer) < _HELD_OUT}
    return [row for row in rows if row.customer not in held], [row for row in rows if row.customer in held]


def fit(declared: Mapping[str, Any], rows: Sequence[Shown]) -> tuple[dict[str, Any], Quality]:
    """The model with what it has learned, as its file has it, and its quality.

    Raises UsageError where there is too little to learn from, where all or nothing was taken, where the model is not
    ours to train, or where scikit-learn is not installed.
    """
    known, held = split(rows)
    for part in (known, held):
        if len(part) < ROWS_MIN or len({row.taken for row in part}) < 2:
            raise UsageError(f"there are {len(rows)} shown actions: too few, or all alike, to learn from")
    if "logistic" in declared:
        made, chance = _logistic(declared, known)
    elif "rates" in declared:
        made, chance = _rates(declared, known)
    else:
        raise UsageError("a model in ONNX is trained elsewhere", "--model")
    return made, _quality(rows, held, [chance(row) for row in held])


def _logistic(declared: Mapping[str, Any], rows: Sequence[Shown]) -> tuple[dict[str, Any], Callable[[Shown], float]]:
    linear, preprocessing = _sklearn("linear_model"), _sklearn("preprocessing")
    scaler = preprocessing.StandardScaler()
    scaled = scaler.fit_transform([row.numbers for row in rows])
    found = linear.LogisticRegression(max_iter=1_000, random_state=0).fit(scaled, [row.taken for row in rows])
    features = [
        # The declared mean and scale are in the numbers already; the fit's own scale is folded into the coefficient.
        {**feature, "coefficient": _short(weight / scale)}
        for feature, weight, scale in zip(declared["logistic"]["features"], found.coef_[0], scaler.scale_, strict=True)
    ]
    shift = sum(
        weight * mean / scale for weight, mean, scale in zip(found.coef_[0], scaler.mean_, scaler.scale_, strict=True)
    )
    body = {**declared["logistic"], "intercept": _short(found.intercept_[0] - shift), "features": features}

    def chance(row: Shown) -> float:
        return float(found.predict_proba(scaler.transform([row.numbers]))[0][1])

    return {**declared, "default": _short(_share(rows)), "logistic": body}, chance


def _rates(declared: Mapping[str, Any], rows: Sequence[Shown]) -> tuple[dict[str, Any], Callable[[Shown], float]]:
    from engine.propensity.models import shrunk_rates

    now_ms = max(row.at_ms for row in rows)
    half_life_ms = declared["rates"].get("half_life_days", 90.0) * _DAY_MS
    table: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(lambda: [0.0, 0.0]))
    for row in rows:
        weight = 0.5 ** ((now_ms - row.at_ms) / half_life_ms)
        count = table[row.action][row.context]
        count[0] += weight * row.taken
        count[1] += weight
    plain = {
        action: {context: [_short(taken), _short(shown)] for context, (taken, shown) in sorted(contexts.items())}
        for action, contexts in sorted(table.items())
    }
    made = {**declared, "default": _short(_share(rows)), "rates": {**declared["rates"], "table": plain}}

    def chance(row: Shown) -> float:
        by_context, other = shrunk_rates(made["rates"], made["default"], row.action)
        return by_context.get(row.context, other)

    return made, chance


def _quality(rows: Sequence[Shown], held: Sequence[Shown], chances: Sequence[float]) -> Quality:
    metrics = _sklearn("metrics")
    taken = [row.taken for row in held]
    ranked = sorted(zip(chances, taken, strict=True))
    tenths = [ranked[len(ranked) * n // _DECILES : len(ranked) * (n + 1) // _DECILES] for n in range(_DECILES)]
    return Quality(
        rows=len(rows),
        held_out=len(held),
        base_rate=_share(rows),
        auc=float(metrics.roc_auc_score(taken, chances)),
        log_loss=float(metrics.log_loss(taken, chances)),
        calibration=tuple(
            (len(tenth), sum(chance for chance, _ in tenth) / len(tenth), sum(was for _, was in tenth) / len(tenth))
            for tenth in tenths
            if tenth
        ),
    )


def _share(rows: Sequence[Shown]) -> float:
    return sum(row.taken for row in rows) / len(rows)


def _short(number: float) -> float:
    return float(f"{number:.8g}")


def _sklearn(part: str) -> Any:
    from importlib import import_module

    try:
        return import_module(f"sklearn.{part}")
    except ImportError:
        raise UsageError("scikit-learn is not installed: pip install 'segue[train]'") from None
