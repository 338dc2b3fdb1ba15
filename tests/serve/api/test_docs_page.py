"""The pages of the OpenAPI document work without the Internet."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest
from support.doors import SERVER, WRITE, door, served, tell
from support.world import CART

ELSEWHERE = re.compile(r"(?:src|href)=\"(?:https?:)?//")


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_all_that_a_page_loads_comes_from_here_and_its_policy_lets_nothing_else_in(tmp_path: Path, page: str):
    async def story():
        async with door(tmp_path) as client:
            del client.headers["x-api-key"]
            answer = await client.get(page)
            assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy and "script-src 'self';" in policy and "http" not in policy
            assert not ELSEWHERE.search(answer.text)
            loaded = re.findall(r"(?:src|href)=\"(docs/assets/[^\"]+)\"", answer.text)
            assert len(loaded) >= 3
            for name in loaded:
                asset = await client.get(f"/{name}")
                assert asset.status_code == 200 and len(asset.content) > 50, name
                assert asset.headers["x-content-type-options"] == "nosniff"
            for name in ("nothing.js", "..%2Fcore.py", "__init__.py"):
                assert (await client.get(f"/docs/assets/{name}")).status_code == 404

    tell(story())


@pytest.mark.slow
@pytest.mark.parametrize("page", ["docs", "redoc"])
def test_a_browser_that_reaches_nothing_else_shows_the_routes(tmp_path: Path, page: str):
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("Chromium is not installed")
    with served(tmp_path, CART, WRITE, SERVER) as url:
        assert httpx.get(f"{url}/openapi.json", trust_env=False).status_code == 200
        nowhere = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
        quiet = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", nowhere]
        wanted = [f"--user-data-dir={tmp_path / 'browser'}", "--virtual-time-budget=60000", "--dump-dom"]
        command = [chromium, *quiet, *wanted, f"{url}/{page}"]
        shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
        assert "/v1/decide" in shown and "Choose what to show" in shown
        assert "Request samples" in shown or page == "docs"
