"""Programs for Node beside the tests, with the packages that their `package.json` names."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

INSTALL_S, RUN_S = 180, 90


def installed(source: Path, folder: Path) -> Path:
    """A copy of `source` in `folder`, with its packages; skips the test where Node or the packages are not to be
    had."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("Node and npm are not installed")
    for file in source.iterdir():
        if file.is_file():
            shutil.copy(file, folder)
    command = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--silent"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("npm did not install the packages in time")
    if done.returncode != 0:
        pytest.skip(f"npm could not install the packages: {done.stderr.strip()[-200:]}")
    return folder


def run(folder: Path, program: str, *arguments: str) -> dict[str, Any]:
    """Run a program; returns the JSON in the last line that it prints."""
    command = ["node", program, *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=RUN_S, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    told: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return told
