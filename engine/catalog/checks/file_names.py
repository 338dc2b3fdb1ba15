"""Guesses the right name of a file whose name no catalog knows."""

from __future__ import annotations

from engine.catalog.schema.files import FILES, FOLDERS, model_of
from engine.values.nearest import nearest


def other_name(file: str) -> str:
    """The end of a message about such a file: the name that was probably meant; empty where none is near."""
    stem, _, ending = file.rpartition(".")
    if ending.lower() in ("yml", "yaml", "txt") and model_of(f"{stem.removesuffix('.yaml')}.yaml"):
        return f": rename it to {stem.removesuffix('.yaml')}.yaml"
    folder, slash, name = file.rpartition("/")
    if folder == "templates":
        return ": a template's name ends in .html or .txt"
    homes = [*FOLDERS, "templates"] if slash else FILES
    near = nearest(folder if slash else file, homes)
    return f", did you mean {near + slash + name if slash else near}?" if near else ""
