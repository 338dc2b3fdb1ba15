"""Puts a playbook into a workspace: under the shop's names, beside what is there, proved before a file is written."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from actors.catalog_files import config_files
from actors.catalog_proof import proof
from actors.platform import durable
from engine.errors import UsageError
from serve.playbooks import merging, tracking
from serve.playbooks.library import Found, Planned
from serve.playbooks.mapping import Events, Names
from serve.playbooks.places import Place, refuse
from serve.playbooks.renaming import Renamer

CONSENT_EVENT: Final = "Consent Updated"
_FOLDERS: Final = ("actions/", "journeys/", "models/", "templates/")
_PLAN: Final = "tracking_plan.yaml"
_SCHEMA: Final = re.compile(r"(# yaml-language-server: \$schema=)(?:\.\./)*(schema/)")
_OPEN: Final = 0o644  # as an editor makes it


@dataclass(slots=True)
class Change:
    """What adding a playbook changes: texts by file, all files that it takes part in, and what stays as it was."""

    files: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def events_of(found: Found) -> Events:
    """The events of a playbook, with the one that carries consent."""
    consent = {CONSENT_EVENT: Planned(why="grants or withdraws consent")}
    return consent | found.playbook.events


def renamed(found: Found, names: Names) -> tuple[dict[str, Any], list[Place]]:
    """A playbook's files under the shop's names, texts or trees by file, and each place that names an event.
    CatalogError where one is not named in `playbook.yaml`, or cannot be renamed."""
    documents = config_files.read(found.configs)
    refuse([str(documents.located(problem)) for problem in documents.problems])
    events = events_of(found)
    files: dict[str, Any] = {}
    places: list[Place] = []
    problems: list[str] = []
    for file in sorted(documents.data):
        renamer = Renamer(file, names, events, _begun_by(file, documents.data))
        if file in documents.trees:
            renamer.rename(documents.trees[file])
            files[file] = documents.trees[file]
        else:
            files[file] = renamer.text(documents.data[file])
        places += renamer.places
        problems += renamer.problems
    refuse(problems + list(_unplanned(places, events)))
    return files, places


def plan(found: Found, names: Names, workspace: Path) -> Change:
    """What adding would change, proved. CatalogError with every reason why it cannot be."""
    files, places = renamed(found, names)
    files[_PLAN] = tracking.plan_of(events_of(found), names)
    refuse(tracking.unmapped(places, events_of(found), names, _plain_plan(workspace)))
    change, problems = Change(), []
    for file, content in files.items():
        path = workspace / file
        if not path.exists():
            change.files[file] = _at_home(file, _text_of(found, file, content, names))
        elif file.startswith(_FOLDERS):
            text = _at_home(file, _text_of(found, file, content, names))
            if path.read_text("utf-8") != text:
                problems.append(f"{file}:1: file: is there already and says something else: rename yours, or remove it")
        elif content:
            merged = merging.Merged(file, path.read_text("utf-8"), content, found.playbook.id)
            change.notes += merged.notes
            if merged.text:
                change.files[file] = merged.text
    refuse(problems)
    if change.files:
        change.warnings = _proved(change, workspace)
    return change


def write(change: Change, workspace: Path) -> None:
    """Write what changes, each file whole. An engine that watches the workspace sees journeys last."""
    for file in sorted(
        change.files, key=lambda file: (file.startswith("journeys/"), file.startswith("actions/"), file)
    ):
        path = workspace / file
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            durable.write(path, change.files[file], path.stat().st_mode & 0o777 if path.exists() else _OPEN)
        except OSError as error:
            raise UsageError(f"cannot be written: {error.strerror}", str(path)) from None


def _begun_by(file: str, data: dict[str, Any]) -> list[str]:
    """The events that may begin what leads to a file: a journey's trigger, and those of the journeys that send an
    action or use a template."""
    journeys = {name: each for name, each in data.items() if name.startswith("journeys/") and isinstance(each, dict)}
    if file in journeys:
        return _triggers([journeys[file]])
    actions = {each["id"]: each for name, each in data.items() if name.startswith("actions/") and "id" in each}
    if file.startswith("templates/"):
        template = file.removeprefix("templates/")
        ids = {name for name, each in actions.items() if template in _strings(each.get("variants", []))}
    else:
        ids = {data[file]["id"]} if file.startswith("actions/") and "id" in data[file] else set()
    sending = [journey for journey in journeys.values() if ids & set(_strings(journey.get("steps", [])))]
    return _triggers(sending)


def _triggers(journeys: list[dict[str, Any]]) -> list[str]:
    named = []
    for journey in journeys:
        trigger = journey.get("trigger", {})
        event = trigger.get("event") or trigger.get("thing", {}).get("event")
        if isinstance(event, str) and event not in named:
            named.append(event)
    return named


def _strings(data: Any) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict | list):
        for each in data.values() if isinstance(data, dict) else data:
            yield from _strings(each)


def _unplanned(places: list[Place], events: Events) -> Iterator[str]:
    """Problems with what the files name and `playbook.yaml` does not."""
    for place in places:
        if place.event not in events:
            yield place.problem(f"{place.event!r} is none of the events in playbook.yaml")
        elif place.path and place.path not in set(events[place.event].paths()):
            yield place.problem(f"{place.path!r} is none of the properties of {place.event!r} in playbook.yaml")


def _plain_plan(workspace: Path) -> dict[str, Any]:
    path = workspace / _PLAN
    tree = merging.reader(path.read_text("utf-8"))[1] if path.exists() else {}
    return tree if isinstance(tree, dict) else {}


def _text_of(found: Found, file: str, content: Any, names: Names) -> str:
    """The text as the playbook has it, where no name changes."""
    if isinstance(content, str):
        return content
    own = found.configs / file
    if own.exists() and not names:
        return own.read_text("utf-8")
    yaml, tree = merging.reader(own.read_text("utf-8") if own.exists() else "")
    return _headed(file, merging.written(yaml, content)) if tree is None else merging.written(yaml, content)


def _headed(file: str, text: str) -> str:
    return f"# yaml-language-server: $schema=schema/{file.removesuffix('.yaml')}.json\n{text}"


def _at_home(file: str, text: str) -> str:
    """The text with the way from its new place to the schemas."""
    return _SCHEMA.sub(rf"\1{'../' if '/' in file else ''}\2", text, count=1)


def _proved(change: Change, workspace: Path) -> list[str]:
    """Prove the workspace as it would be, in a copy; its warnings."""
    with tempfile.TemporaryDirectory(prefix="segue-playbook-") as folder:
        copy = Path(folder) / "workspace"
        shutil.copytree(workspace, copy, ignore=shutil.ignore_patterns("playbooks", ".*"))
        for file, text in change.files.items():
            (copy / file).parent.mkdir(parents=True, exist_ok=True)
            (copy / file).write_text(text, "utf-8")
        return list(proof.of_directory(copy, os.environ).warnings)
