"""Makes rows for training out of the journals of a stopped engine: the fates of the actions that people were shown.

Every customer's journal is replayed turn by turn. When a decision chooses an action, the model's inputs are noted as
they were then. When the action is seen, they become a row. When it is clicked or converts in time, the row is `taken`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from actors.shard.journal import replay
from actors.storage import keys
from actors.storage.batch import Batch
from actors.storage.store import RocksStore
from actors.storage.vault import Vault
from engine import effects
from engine.catalog.compiled import Catalog
from engine.decide.exposures import read_token
from engine.errors import SegueError
from engine.inputs import Decide, Exposure
from engine.profile import Profile
from engine.propensity.training import Shown
from engine.view import View

# a customer and an action's facts → the inputs of a model
Read = Callable[[View, Mapping[str, Any]], tuple[Sequence[float], str]]
TAKEN = ("clicked", "converted")


def samples(paths: Sequence[Path], vault: Vault, catalog: Catalog, read: Read, within_ms: int) -> Iterator[Shown]:
    """A row for each action that was seen. `catalog` says what `read` may ask of older events."""
    for path in paths:
        batch = Batch(RocksStore(path, create=False), vault)
        try:
            catalogs: dict[str, Catalog] = {}
            replay.fill_archive(catalogs, batch, catalog.id_key)
            for key, _ in batch.committed("state"):
                yield from _of_profile(batch, keys.profile_of(key), catalogs, catalog, read, within_ms)
        finally:
            batch.close()


def _of_profile(
    batch: Batch, profile: str, catalogs: replay.Catalogs, catalog: Catalog, read: Read, within_ms: int
) -> Iterator[Shown]:
    past = replay.Replica(profile)
    chosen: dict[str, Shown] = {}
    seen: dict[str, Shown] = {}
    for entry in replay.entries(batch, profile):
        told, known = entry.told, past.record
        if isinstance(told, Exposure):
            shown = read_token(catalog.id_key, told.token)
            if told.event == "viewed" and shown.ref in chosen:
                seen.setdefault(shown.ref, replace(chosen[shown.ref], at_ms=told.at_ms))
            elif told.event in TAKEN and shown.ref in seen and told.at_ms - seen[shown.ref].at_ms <= within_ms:
                seen[shown.ref] = replace(seen[shown.ref], taken=True)
        view = None
        if isinstance(told, Decide) and isinstance(known, Profile):
            view = View(known, catalog, max(entry.now_ms, known.clock_ms), told.context)
            reads = {name: read(view, action.facts) for name, action in catalog.actions.items()}
        try:
            asked = past.tell(entry, catalogs)
        except (SegueError, AssertionError):
            return  # its journal begins in the middle of its life, and the earlier turns are not known
        if view is not None:
            for shown_action in _shown(asked):
                token = read_token(catalog.id_key, shown_action["trackingToken"])
                if token.action in reads:
                    numbers, context = reads[token.action]
                    chosen.setdefault(token.ref, Shown(profile, 0, token.action, numbers, context, taken=False))
    yield from seen.values()


def _shown(asked: list[effects.Effect]) -> list[dict[str, Any]]:
    return [
        shown for effect in asked if isinstance(effect, effects.Answer) for shown in effect.value.get("actions", ())
    ]
