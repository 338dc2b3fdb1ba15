"""Types that others generate from the document are worth having: decide's answer has one, and mistakes are found."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from support import promised
from support.node import RUN_S, installed

pytestmark = pytest.mark.slow


def test_types_for_a_page_are_generated_from_the_document(tmp_path: Path):
    folder = installed(Path(__file__).parents[1] / "types", tmp_path)
    (folder / "openapi.json").write_text(json.dumps(promised.document()))
    for command in (
        ["npx", "--no-install", "openapi-typescript", "openapi.json", "--output", "segue.d.ts"],
        ["npx", "--no-install", "tsc", "--strict", "--noEmit", "--target", "es2022", "page.ts"],
    ):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=RUN_S, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
