"""The playbooks that there are: those that come with Segue, and any folder that is made like them.

A playbook is a folder with `playbook.yaml`, which says what it is for and which events it needs, and `configs/`, a
catalog of its own that `segue validate` proves and `segue simulate` runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from engine.errors import UsageError
from engine.values.nearest import meant
from serve.process.which_catalog import HERE, SHIPPED

SHIPPED_PLAYBOOKS: Final = SHIPPED / "playbooks"
MANIFEST: Final = "playbook.yaml"


class Planned(msgspec.Struct, forbid_unknown_fields=True):
    """An event that a playbook needs: why, and a JSON Schema for each of its properties. `of_thing`: it is no event of
    a customer's but a fact about a thing."""

    why: str
    properties: dict[str, dict[str, Any]] = {}
    required: list[str] = []
    of_thing: bool = False

    def paths(self) -> Iterator[str]:
        """The paths of all its properties, through lists too: `products`, `products.product_id`."""
        yield from _paths(self.properties, "")


class Holdout(msgspec.Struct, forbid_unknown_fields=True):
    """The holdout by which a playbook is measured: its id in `policies.yaml`, and what it holds back."""

    id: str
    of: str


class Playbook(msgspec.Struct, forbid_unknown_fields=True):
    """What `playbook.yaml` says. `steps` tell in sentences what a customer goes through; `traits` why traits are
    needed."""

    id: str
    title: str
    story: str
    steps: list[str]
    events: dict[str, Planned]
    outcome: str
    holdout: Holdout
    traits: dict[str, str] = {}


class Found(msgspec.Struct):
    """A playbook with the folder that it lies in."""

    playbook: Playbook
    folder: Path

    @property
    def configs(self) -> Path:
        """Its catalog."""
        return self.folder / HERE


def names() -> list[str]:
    """The names of the playbooks that come with Segue, in order."""
    return sorted(path.parent.name for path in SHIPPED_PLAYBOOKS.glob(f"*/{MANIFEST}"))


def find(name: str) -> Found:
    """The playbook of that name, or in the folder of that path; UsageError where there is none or it is not one."""
    if name in names():
        folder = SHIPPED_PLAYBOOKS / name
    elif "/" in name or Path(name).is_dir():
        folder = Path(name)
    else:
        raise UsageError(f"no such playbook; {meant(name, names())}", name)
    return Found(_read(folder / MANIFEST), folder)


def _read(file: Path) -> Playbook:
    try:
        return msgspec.convert(YAML(typ="safe").load(file.read_text("utf-8")), Playbook)
    except FileNotFoundError:
        raise UsageError("there is no such file, so its folder is no playbook", str(file)) from None
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UsageError(f"cannot be read: {error.problem}", f"{file}:{line}") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot be read: {' '.join(str(error).split())}", f"{file}:1") from None
    except msgspec.ValidationError as error:
        raise UsageError(str(error), f"{file}:1") from None


def _paths(properties: dict[str, Any], before: str) -> Iterator[str]:
    for name, schema in properties.items():
        yield f"{before}{name}"
        inner = schema.get("items", schema)
        if isinstance(inner, dict):
            yield from _paths(inner.get("properties", {}), f"{before}{name}.")
