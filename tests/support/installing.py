"""Installs Segue as others do: from a wheel, in a fresh environment that does not see this checkout, on each Python."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from support.running import ROOT

PYTHONS = ("3.11", "3.12", "3.13")  # what pyproject.toml lets in
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
PACKAGES = ("engine", "actors", "serve", "loadtest")

_PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")
_INSTALL_S = 240
# pip prints one of these when it reaches no index. Any other failure to install is our fault.
_OFFLINE = ("Retrying (", "NewConnectionError", "Temporary failure in name resolution", "Network is unreachable")


class NotHere(Exception):
    """An interpreter, or an index to install from, is not on this machine; the message says which."""


def interpreter(version: str) -> Path:
    """A Python of that version, from PATH or pyenv; NotHere where there is none that works."""
    if version == HERE:
        return Path(sys.executable)
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    on_path = shutil.which(f"python{version}")
    for found in (*([Path(on_path)] if on_path else []), *sorted(pyenv.glob(f"{version}.*/bin/python"))):
        # pyenv puts a program for every version on the path, and most of them only say that they are not active.
        if subprocess.run([found, "-c", "import venv"], capture_output=True, check=False).returncode == 0:
            return found
    raise NotHere(f"Python {version} is not on this machine")


def build_wheel(folder: Path) -> Path:
    """The wheel of this checkout, built from a copy: what an earlier build has left beside the sources is not in it."""
    source = folder / "source"
    for package in PACKAGES:
        shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source)
    command = (*_PIP, "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, source)
    done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_S, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel


def install(wheel: Path, version: str, folder: Path) -> Path:
    """A fresh environment with that wheel; its `bin`. NotHere where this cannot be tried on this machine.

    For this Python the dependencies are those of the environment that runs the tests; for the others pip installs them
    from its index, as `constraints.txt` pins them.
    """
    subprocess.run([interpreter(version), "-m", "venv", "--without-pip", folder], check=True, timeout=_INSTALL_S)
    python = folder / "bin" / "python"
    command = [*_PIP, "--python", python, "install", "--quiet", "--no-compile"]
    if version == HERE:
        _borrow_dependencies(folder)
        command += ["--no-deps", "--no-index", wheel]
    else:
        command += ["--only-binary", ":all:", "--constraint", ROOT / "constraints.txt", wheel]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=_INSTALL_S, check=False)
    if done.returncode != 0 and any(said in done.stderr for said in _OFFLINE):
        raise NotHere(f"what Segue needs on Python {version} cannot be installed: pip reaches no index")
    assert done.returncode == 0, done.stderr[-2_000:]
    return folder / "bin"


def _borrow_dependencies(folder: Path) -> None:
    """Name our own packages' folder in the environment. Python follows no link to a checkout from there."""
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
