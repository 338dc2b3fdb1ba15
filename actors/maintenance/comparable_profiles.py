"""The profiles of a stopped engine as records to learn matching from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from actors.storage.batch import Batch
from actors.storage.store import RocksStore
from actors.storage.vault import Vault
from engine import codec
from engine.likeness import compared
from engine.matching.comparable import Comparable
from engine.profile import Profile


def records(paths: Sequence[Path], vault: Vault, stated: compared.Stated) -> Iterator[Comparable]:
    """What matching compares of each profile of some stores; `stated` as in identity.yaml. Those that were merged into
    another are in it."""
    for path in paths:
        batch = Batch(RocksStore(path, create=False), vault)
        try:
            for _, record in batch.committed("state"):
                profile = codec.decode_record(record)
                if isinstance(profile, Profile):
                    yield compared.record_of(profile, stated)
        finally:
            batch.close()
