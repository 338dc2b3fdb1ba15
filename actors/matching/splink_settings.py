"""The comparisons of the engine as `splink` takes them: the same levels in the SQL of DuckDB.

Jaro–Winkler and Damerau–Levenshtein of DuckDB and of the engine (`rapidfuzz`) count the same way, over code points, so
both put a pair into the same level.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engine.matching.blocking import PASSES
from engine.matching.comparisons import DIFFERENT, HOUSEHOLD, NOBODY, Comparison
from engine.matching.conditions import (
    All,
    Condition,
    Edits,
    Equal,
    Missing,
    Not,
    Share,
    Similar,
    Some,
)
from engine.matching.model import Chances, Model
from engine.matching.scoring import BITS_MAX, matcher

ID = "position"  # of a record in its table; no column of the records themselves


def key_column(blocking_pass: str) -> str:
    """The column of a record's key of one blocking pass."""
    return f"key_{blocking_pass}"


def settings(model: Model, comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """The settings of a linker that scores the pairs of all blocking passes by a model, in these comparisons."""
    return {
        "link_type": "dedupe_only",
        "unique_id_column_name": ID,
        "probability_two_random_records_match": model.prior(),
        "comparisons": [_comparison(each, model) for each in comparisons],
        "blocking_rules_to_generate_predictions": [*(_rule(name) for name in PASSES), _DEVICES],
        "retain_matching_columns": True,  # with them, the level of each comparison
        "retain_intermediate_calculation_columns": True,  # its weight
        "em_convergence": 1e-4,
        "max_iterations": 50,
    }


def judged(predicted: str, model: Model, comparisons: Sequence[Comparison]) -> str:
    """The pairs of a table of predictions with `p`, that they are one person, and `near`, that they are two of one
    household, as the engine has it. The weight of splink is against strangers alone."""
    ready = matcher(model)
    housemates = _odds(ready.against_housemates, [each for each in comparisons if each.shared != HOUSEHOLD], model)
    twins = _odds(ready.against_twins, [each for each in comparisons if each.shared == NOBODY], model)
    strangers = _power("-match_weight")
    return (
        f"SELECT *, 1 / (1 + strangers + near_odds) AS p, near_odds / (1 + strangers + near_odds) AS near "
        f"FROM (SELECT *, {strangers} AS strangers, {housemates} + {twins} AS near_odds FROM {predicted})"
    )


def _odds(start: float, comparisons: Sequence[Comparison], model: Model) -> str:
    weights = [f"mw_{each.name}" for each in comparisons]
    weights += [
        f"mw_tf_adj_{each.name}" for each in comparisons if any(one.terms in model.terms for one in each.levels)
    ]
    return _power("-(" + " + ".join([str(start), *weights]) + ")")


def _power(bits: str) -> str:
    return f"pow(2.0::DOUBLE, greatest(-{BITS_MAX}, least({BITS_MAX}, {bits})))"


def gamma(comparison: Comparison, level: str) -> int:
    """The number that splink gives to a level: 0 for `different`, the highest for the strongest."""
    return len(comparison.levels) - comparison.level_names.index(level)


_DEVICES = {"blocking_rule": "l.devices = r.devices", "arrays_to_explode": ["devices"]}


def _rule(blocking_pass: str) -> dict[str, str]:
    column = key_column(blocking_pass)
    return {"blocking_rule": f"l.{column} = r.{column}"}


def _comparison(comparison: Comparison, model: Model) -> dict[str, Any]:
    chances = model.comparisons[comparison.name]
    left_out = {"sql_condition": sql(comparison.left_out), "label_for_charts": "left out", "is_null_level": True}
    levels = [
        {**_level(level.name, sql(level.condition), chances), **_terms(level.terms, model)}
        for level in comparison.levels
    ]
    different = _level(DIFFERENT, "ELSE", chances)
    return {"output_column_name": comparison.name, "comparison_levels": [left_out, *levels, different]}


def _level(name: str, condition: str, chances: Mapping[str, Chances]) -> dict[str, Any]:
    return {
        "sql_condition": condition,
        "label_for_charts": name,
        "m_probability": chances[name].m,
        "u_probability": chances[name].u,
    }


def _terms(column: str, model: Model) -> dict[str, Any]:
    """Splink would look for a level of plain equality to compare with; here the level itself is meant."""
    if column not in model.terms:
        return {}
    return {"tf_adjustment_column": column, "disable_tf_exact_match_detection": True}


def sql(condition: Condition) -> str:
    """A condition about two records in SQL; true or false, never NULL."""
    match condition:
        case Equal(column, other):
            return f"coalesce({column}_l = {other or column}_r, false)"
        case Similar(column, at_least, other):
            found = f"jaro_winkler_similarity({column}_l, {other or column}_r)"
            return f"coalesce({found} >= {at_least}, false)"
        case Edits(column, at_most):
            return _edits(f"{column}_l", f"{column}_r", at_most)
        case Share(column):
            return f"coalesce(list_has_any({column}_l, {column}_r), false)"
        case Missing(column):
            return f"({column}_l is null or {column}_r is null)"
        case All(parts):
            return "(" + " and ".join(sql(part) for part in parts) + ")"
        case Some(parts):
            return "(" + " or ".join(sql(part) for part in parts) + ")"
        case Not(part):
            return f"(not {sql(part)})"


def _edits(left: str, right: str, at_most: int) -> str:
    """Damerau–Levenshtein takes long in DuckDB, so lengths and plain Levenshtein go first: an exchange is two edits."""
    return (
        f"coalesce(abs(length({left}) - length({right})) <= {at_most} "
        f"and levenshtein({left}, {right}) <= {2 * at_most} "
        f"and damerau_levenshtein({left}, {right}) <= {at_most}, false)"
    )
