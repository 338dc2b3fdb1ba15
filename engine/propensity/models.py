"""How likely an action is to be taken: the models behind the port `Scorer`.

    rates      Bayesian response rates per action and context. The rate of a context shrinks towards that of the action,
               and this one towards that of all actions, by `strength` imagined trials (the mean of a beta posterior).
    logistic   1 / (1 + exp(−(intercept + Σ coefficient × feature)))
    onnx       a network over the same features; its last output, or the probability of class 1

A score that is no number from 0 to 1 is the model's `default`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import exp
from typing import Any, Protocol

from engine.conditions.event_atoms import EventAtom
from engine.conditions.readable import Readable
from engine.propensity.features import Feature, features_of, vector
from engine.values.paths import values_at


class Scorer(Protocol):
    """How likely one action is to be taken, by a model."""

    @property
    def atoms(self) -> frozenset[EventAtom]:
        """Its questions about past events."""
        ...

    def chance(self, view: Readable) -> float:
        """From 0 to 1."""
        ...


Made = Callable[[Mapping[str, Any]], Scorer]  # from the facts of an action


def build_model(declared: Mapping[str, Any], files: Mapping[str, Any]) -> Made:
    """The function that makes the scorers of a checked model: one scorer for all actions that the model does not tell
    apart. `files` are those of the document."""
    known: dict[str, Scorer] = {}
    default = declared.get("default", 0.0)
    run = _session(files[f"models/{declared['onnx']['file']}"]) if "onnx" in declared else None

    def made(facts: Mapping[str, Any]) -> Scorer:
        if "rates" in declared:
            return _rates(declared["rates"], default, facts["id"])
        body = declared.get("logistic") or declared["onnx"]
        features = features_of(body["features"], facts)
        key = facts["id"] if any(feature.is_about_action for feature in features) else ""
        if key not in known:
            known[key] = (
                Network(features, run, default)
                if run is not None
                else Logistic(
                    features,
                    body.get("intercept", 0.0),
                    tuple(each.get("coefficient", 0.0) for each in body["features"]),
                )
            )
        return known[key]

    return made


@dataclass(frozen=True, slots=True, eq=False)
class Rates:
    """The rate of each context of an action, and of any other; `read` finds a customer's context."""

    by_context: Mapping[str, float]
    other: float
    read: Callable[[Readable], str]
    atoms: frozenset[EventAtom] = frozenset()

    def chance(self, view: Readable) -> float:
        """The rate of the customer's context."""
        return self.by_context.get(self.read(view), self.other)


@dataclass(frozen=True, slots=True, eq=False)
class Logistic:
    """A logistic regression."""

    features: tuple[Feature, ...]
    intercept: float
    coefficients: tuple[float, ...]

    @property
    def atoms(self) -> frozenset[EventAtom]:
        """Its questions about past events."""
        return frozenset[EventAtom]().union(*(feature.atoms for feature in self.features))

    def chance(self, view: Readable) -> float:
        """The sigmoid of the weighted sum."""
        total = self.intercept
        for feature, coefficient in zip(self.features, self.coefficients, strict=True):
            total += coefficient * feature.read(view)
        return 1.0 / (1.0 + exp(-max(-700.0, min(700.0, total))))  # from about 710 on, `exp` overflows


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A model in ONNX."""

    features: tuple[Feature, ...]
    run: Callable[[list[float]], float]
    default: float

    @property
    def atoms(self) -> frozenset[EventAtom]:
        """Its questions about past events."""
        return frozenset[EventAtom]().union(*(feature.atoms for feature in self.features))

    def chance(self, view: Readable) -> float:
        """The network's output; the default where that is no number from 0 to 1."""
        score = self.run(vector(self.features, view))
        return score if 0.0 <= score <= 1.0 else self.default


def shrunk_rates(declared: Mapping[str, Any], default: float, action: str) -> tuple[dict[str, float], float]:
    """The rate of an action in each context that was counted, and in any other."""
    table, strength = declared.get("table", {}), declared.get("strength", 50.0)
    counts = [count for contexts in table.values() for count in contexts.values()]
    everywhere = _shrunk(_sum(counts), default, strength)
    mine = table.get(action, {})
    overall = _shrunk(_sum(list(mine.values())), everywhere, strength)
    by_context = {context: _shrunk(count, overall, strength) for context, count in mine.items()}
    return by_context, overall


def _rates(declared: Mapping[str, Any], default: float, action: str) -> Rates:
    return Rates(*shrunk_rates(declared, default, action), context_reader(declared.get("by") or {}))


def _sum(counts: Sequence[Sequence[float]]) -> tuple[float, float]:
    return sum(taken for taken, _ in counts), sum(shown for _, shown in counts)


def _shrunk(count: Sequence[float], towards: float, strength: float) -> float:
    taken, shown = count
    return (taken + strength * towards) / (shown + strength)


def context_reader(by: Mapping[str, Any]) -> Callable[[Readable], str]:
    """The function that reads the word by which a model tells a customer's contexts apart; the word is empty where it
    tells none apart."""
    ((kind, path),) = by.items() if by else (("", ""),)
    steps = tuple(path.split("."))
    if kind == "context":
        return lambda view: _word(view.context, steps)
    if kind == "trait":
        return lambda view: _word({name: trait.value for name, trait in view.profile.traits.items()}, steps)
    return lambda view: ""


def _word(data: Any, path: tuple[str, ...]) -> str:
    value = next(iter(values_at(data, path)), None)
    return value if isinstance(value, str) else ""


class OnnxMissing(Exception):
    """onnxruntime is not installed."""


def _session(model: bytes) -> Callable[[list[float]], float]:
    session, name, _ = open_onnx(model)

    def run(numbers: list[float]) -> float:
        outputs = session.run(None, {name: [numbers]})
        last = outputs[-1][0]
        if isinstance(last, dict):  # as scikit-learn's converters write it: a chance per class
            return float(last[1] if 1 in last else last["1"])
        values = [float(value) for value in (last if hasattr(last, "__len__") else [last])]
        return values[-1]

    return run


def open_onnx(model: bytes) -> tuple[Any, str, int | None]:
    """A session on one thread, the name of its input, and how many numbers that takes (None: any).

    Raises OnnxMissing where onnxruntime is not installed, ValueError where the bytes are no such model.
    """
    try:
        import onnxruntime
    except ImportError:
        raise OnnxMissing from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a class of its own for each way to fail
        raise ValueError(str(error).splitlines()[0][:200]) from None
    if len(session.get_inputs()) != 1:
        raise ValueError("has more than one input")
    (wanted,) = session.get_inputs()
    width = wanted.shape[-1] if wanted.shape else None
    return session, wanted.name, width if isinstance(width, int) else None
