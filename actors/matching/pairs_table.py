"""The records as a table of DuckDB, and the linkers of `splink` over it: one for each model that is tried."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final

from msgspec.structs import replace

from actors.matching import splink_settings
from engine.errors import UsageError
from engine.matching.blocking import PASSES, keys
from engine.matching.comparable import COLUMNS, SETS, Comparable
from engine.matching.comparisons import Comparison
from engine.matching.model import Chances, Model, Terms

BLOCK_RECORDS_MAX: Final = 200  # a key that more records have would make more pairs than it finds matches
_TABLE: Final = "records"
_JUDGED: Final = "judged"
_ID: Final = splink_settings.ID


@dataclass(frozen=True, slots=True)
class Tally:
    """What the scored pairs say: how many there are, how many of them should be one person, how many two of one
    household, and how many of these are in each level of each comparison."""

    pairs: int
    matches: float
    housemates: float
    of_one: dict[str, dict[str, float]]
    of_household: dict[str, dict[str, float]]


class PairsTable:
    """Records in memory, for as long as the `with` lasts."""

    def __init__(self, records: Sequence[Comparable], comparisons: Sequence[Comparison], seed: int) -> None:
        self._records, self._comparisons, self._seed = records, tuple(comparisons), seed
        self._splink, duckdb, self._arrow = _libraries()
        self._connection = duckdb.connect()
        self._connection.execute("SET threads TO 1")  # sums of several threads differ in their last digits

    def __enter__(self) -> PairsTable:
        self._api = self._splink.DuckDBAPI(self._connection)
        self._table = self._api.register(self._arrow.table(self._columns()), table_name=_TABLE)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._connection.close()

    def learn(self, model: Model, sessions: Sequence[Sequence[str]], random_pairs: int) -> Model:
        """The model with `u` from random pairs, and `m` from sessions of expectation–maximisation: each looks at the
        pairs that agree in a list of columns. A session with no match in some level is left out."""
        linker = self._linker(model)
        linker.training.estimate_u_using_random_sampling(
            max_pairs=random_pairs, seed=self._seed, min_count_per_level=None, num_chunks=1
        )
        for columns in sessions:
            rule = " and ".join(f"l.{column} = r.{column}" for column in columns)
            some = f"FROM {_TABLE} l JOIN {_TABLE} r ON {rule} AND l.{_ID} < r.{_ID} LIMIT 1"
            if self._sql(f"SELECT 1 {some}"):
                try:
                    linker.training.estimate_parameters_using_expectation_maximisation(rule)
                except ValueError as error:  # an `m` too close to 0 for splink: many people have an address in common
                    if "m_probability" not in str(error):
                        raise
                    rest = [each for each in sessions if each != columns]
                    return self.learn(model, rest, random_pairs)  # a linker that failed half-way is of no more use
        found = {each["output_column_name"]: each for each in linker.misc.save_model_to_json()["comparisons"]}
        learnt = {each.name: _chances(each, found[each.name]["comparison_levels"]) for each in self._comparisons}
        return replace(model, comparisons={**model.comparisons, **learnt})

    def tally(self, model: Model) -> Tally:
        """Score all pairs that share a blocking key, and add up."""
        self._judge(model)
        pairs, matches, near = self._sql(
            f"SELECT count(*), coalesce(sum(p), 0), coalesce(sum(near), 0) FROM {_JUDGED}"
        )[0]
        of_one = {each.name: self._levels(each, "p") for each in self._comparisons}
        of_household = {each.name: self._levels(each, "near") for each in self._comparisons}
        return Tally(pairs, matches, near, of_one, of_household)

    def links(self, model: Model, at_least: float) -> Iterator[tuple[int, int, float]]:
        """The pairs of at least a probability: the places of both records, and the probability."""
        self._judge(model)
        yield from self._sql(f"SELECT position_l, position_r, p FROM {_JUDGED} WHERE p >= {at_least} ORDER BY 1, 2")

    def _judge(self, model: Model) -> None:
        predicted = str(self._linker(model).inference.predict().physical_name)
        query = splink_settings.judged(predicted, model, self._comparisons)
        self._connection.execute(f"CREATE OR REPLACE TABLE {_JUDGED} AS {query}")

    def _levels(self, comparison: Comparison, chance: str) -> dict[str, float]:
        column = f"gamma_{comparison.name}"
        rows = self._sql(f"SELECT {column}, sum({chance}) FROM {_JUDGED} WHERE {column} >= 0 GROUP BY 1")
        found = dict(rows)
        return {name: found.get(splink_settings.gamma(comparison, name), 0.0) for name in comparison.level_names}

    def _linker(self, model: Model) -> Any:
        self._api.delete_tables_created_by_splink_from_db()
        settings = splink_settings.settings(model, self._comparisons)
        linker = self._splink.Linker(self._table, settings, log_level=logging.ERROR)
        for column, terms in model.terms.items():
            table = self._api.register(self._shares(column, terms))
            linker.table_management.register_term_frequency_lookup(table, column)
        return linker

    def _shares(self, column: str, terms: Terms) -> Any:
        place = COLUMNS.index(column)
        values = sorted({str(record[place]) for record in self._records if record[place]})
        return self._arrow.table({column: values, f"tf_{column}": [terms.share_of(value) for value in values]})

    def _columns(self) -> dict[str, Any]:
        arrow = self._arrow
        made: dict[str, Any] = {splink_settings.ID: arrow.array(range(len(self._records)), arrow.int64())}
        for place, column in enumerate(COLUMNS):
            kind = arrow.list_(arrow.string()) if column in SETS else arrow.string()
            values = [sorted(record[place]) if column in SETS else record[place] for record in self._records]
            made[column] = arrow.array([value or None for value in values], kind)
        every = [dict(keys(record)) for record in self._records]
        for name in PASSES:
            counts = Counter(found[name] for found in every if name in found)
            few = [key if counts[key := found.get(name, "")] <= BLOCK_RECORDS_MAX else "" for found in every]
            made[splink_settings.key_column(name)] = arrow.array([key or None for key in few], arrow.string())
        return made

    def _sql(self, query: str) -> list[Any]:
        return list(self._connection.execute(query).fetchall())


def _chances(comparison: Comparison, levels: Sequence[dict[str, Any]]) -> dict[str, Chances]:
    """What splink has learnt about the levels of a comparison; a level that it never saw gets a small chance."""
    found = {level["label_for_charts"]: level for level in levels}
    small = 1e-6
    m = [max(found[name].get("m_probability") or small, small) for name in comparison.level_names]
    u = [max(found[name].get("u_probability") or small, small) for name in comparison.level_names]
    return {name: Chances(m[place] / sum(m), u[place] / sum(u)) for place, name in enumerate(comparison.level_names)}


def _libraries() -> tuple[Any, Any, Any]:
    from importlib import import_module

    try:
        return import_module("splink"), import_module("duckdb"), import_module("pyarrow")
    except ImportError:
        raise UsageError("splink is not installed: pip install 'segue[match]'") from None
