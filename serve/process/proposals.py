"""An edit that is not published is a proposal: a folder, or the folder as a branch of its git repository has it."""

from __future__ import annotations

import base64
import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from actors.catalog_files import config_files
from engine.errors import CatalogError, UsageError

_GIT_S: float = 60.0


@contextmanager
def folder(directory: Path, branch: str) -> Iterator[Path]:
    """The folder of a proposal. With a branch it is a copy that is gone afterwards; nothing is checked out."""
    if not branch:
        yield directory
        return
    with tempfile.TemporaryDirectory(prefix="segue-proposal-") as home:
        yield _of_branch(directory, branch, Path(home))


def body(directory: Path) -> dict[str, Any]:
    """The files of a folder as the engine takes them: texts, and in base 64 what is none. CatalogError where the folder
    holds something that belongs to no catalog."""
    documents = config_files.read(directory)
    if strange := [documents.located(each) for each in documents.problems if each.loc == ("file",)]:
        raise CatalogError(tuple(map(str, strange)))
    files: dict[str, str] = {}
    models: dict[str, str] = {}
    for name in sorted({*documents.data, *documents.unread}):
        content = (directory / name).read_bytes()
        try:
            files[name] = content.decode()
        except UnicodeDecodeError:
            models[name] = base64.b64encode(content).decode()
    return {"files": files, "models": models}


def _of_branch(directory: Path, branch: str, home: Path) -> Path:
    """The folder as the branch has it, unpacked at `home`. UsageError where git knows no such branch or folder."""
    if branch.startswith("-"):
        raise UsageError(f"{branch} is no name of a branch", "--branch")
    near = next((each for each in (directory, *directory.parents) if each.is_dir()), Path("/"))
    top = Path(_git(near, "rev-parse", "--show-toplevel").decode().strip())
    inside = directory.relative_to(top.resolve()).as_posix() if directory.is_relative_to(top.resolve()) else ""
    if not inside:
        raise UsageError(f"{directory} is not in the repository {top}", "--config")
    packed = _git(top, "archive", "--format=tar", branch, "--", inside)
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(home, filter="data")
    return home / inside


def _git(where: Path, *words: str) -> bytes:
    try:
        done = subprocess.run(["git", "-C", str(where), *words], capture_output=True, timeout=_GIT_S)
    except FileNotFoundError:
        raise UsageError("needs git, and there is none", "--branch") from None
    except subprocess.TimeoutExpired:
        raise UsageError("git does not come to an end", "--branch") from None
    if done.returncode != 0:
        said = " ".join(done.stderr.decode(errors="replace").split())
        raise UsageError(f"git: {said}", "--branch")
    return done.stdout
