"""The page "For web developers", followed to the letter: its commands in a shell, its pages in Chromium."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from support.doors import SERVER, WRITE, served
from support.node import installed
from support.running import eventually

from actors.catalog_files import config_files

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docs/for-web-developers.md").read_text("utf-8")
SHOP = msgspec.msgpack.decode(config_files.load(ROOT / "configs").document)
TITLES = {"Just in: the spring collection", "New in this week"}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def files(url: str) -> dict[str, str]:
    """The files that the page has in pieces, by the names in their first lines."""
    found: dict[str, str] = {}
    for block in (*blocks("js"), *blocks("html")):
        first, _, rest = block.partition("\n")
        name = re.sub(r"^(// |<!-- )| -->$", "", first)
        found[name] = found.get(name, "") + rest
    return {
        name: text.replace("http://127.0.0.1:8000", url).replace('WRITE_KEY"', f'{WRITE}"')
        for name, text in found.items()
    }


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("door"), SHOP, WRITE, SERVER) as door:
        yield door


@contextmanager
def shop(pages: dict[str, str], headers: dict[str, str]) -> Iterator[str]:
    """A site of another origin, with these files."""

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.removeprefix("/")
            is_there = name in pages
            self.send_response(200 if is_there else 404)
            self.send_header("content-type", "text/javascript" if name.endswith(".js") else "text/html; charset=utf-8")
            for header, value in headers.items():
                self.send_header(header, value)
            self.end_headers()
            self.wfile.write(pages.get(name, "").encode())

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()


def opened(address: str, folder: Path) -> str:
    """What Chromium has made of a page when nothing moves any more."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("Chromium is not installed")
    quiet = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    quiet += ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", f"--user-data-dir={folder / 'browser'}"]
    command = [chromium, *quiet, "--virtual-time-budget=20000", "--dump-dom", address]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def entries(url: str, user: str) -> list[dict[str, Any]]:
    told = httpx.get(f"{url}/v1/profiles/user_id:{user}/timeline", headers={"x-api-key": SERVER}, trust_env=False)
    return list(told.json().get("entries", []))


def test_the_commands_do_what_the_page_says(url: str):
    first, *commands = blocks("sh")
    given = (
        first.replace("http://127.0.0.1:8000", url)
        .replace("=WRITE_KEY", f"={WRITE}")
        .replace("=SERVER_KEY", f"={SERVER}")
    )
    answers = []
    for command in commands:
        done = subprocess.run(["bash", "-ec", f"{given}\n{command}"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        answers.append(json.loads(done.stdout))
    decided, sold, receipt, timeline = answers
    assert decided["actions"][0]["trackingToken"] and decided["actions"][0]["content"]["title"] in TITLES
    assert sold == {"success": True}
    assert receipt["granted"] and receipt["effective"]
    assert [entry["kind"] for entry in timeline["entries"]] == ["consent"]


def test_the_page_shows_a_decision_tells_it_and_sends_its_events_under_its_policy(url: str, tmp_path: Path):
    (policy,) = blocks("http")
    name, _, value = policy.strip().replace("http://127.0.0.1:8000", url).partition(": ")
    pages = files(url)
    steps = """
      import { noNews } from "./shop.js";
      import { flush } from "./segue.js";
      const until = async (check) => { while (!check()) await new Promise((done) => setTimeout(done, 20)); };
      const hero = document.querySelector("#hero");
      await until(() => hero.onclick);
      document.body.dataset.first = hero.textContent;
      hero.click();
      document.querySelector("#bags").click();
      await until(() => JSON.parse(localStorage.getItem("segue.waiting") ?? "[]").length === 0);
      document.querySelector("#sign-in").click();
      await noNews();
      await until(() => JSON.parse(localStorage.getItem("segue.waiting") ?? "[]").length === 0);
      document.body.dataset.done = location.pathname;
    """
    pages["steps.js"] = steps
    pages["page.html"] = pages["page.html"].replace("</body>", '<script type="module" src="/steps.js"></script></body>')
    with shop(pages, {name: value}) as address:
        shown = opened(f"{address}/page.html", tmp_path)
    assert re.search(r'data-first="([^"]+)"', shown)[1] in TITLES
    assert 'data-done="/bags"' in shown

    def arrived() -> bool:
        kinds = [(entry["kind"], entry["summary"], entry.get("outcome")) for entry in entries(url, "ada")]
        seen = {kind: sum(row[0] == kind for row in kinds) for kind in ("decision", "exposure", "consent")}
        views = sum(row[1] == "Page Viewed" for row in kinds)
        clicked = any(row[0] == "exposure" and row[2] == "clicked" for row in kinds)
        return views == 2 and seen["exposure"] >= 2 and clicked and seen["consent"] >= 1

    eventually(arrived)


def test_a_page_without_a_network_shows_its_own_and_sends_later(url: str, tmp_path: Path):
    pages = files("http://127.0.0.1:9")  # nobody listens there
    pages["steps.js"] = """
      import { track } from "./segue.js";
      await track("Scrolled");
      const waiting = JSON.parse(localStorage.getItem("segue.waiting"));
      document.body.dataset.waiting = waiting.map((each) => each.event).join();
    """
    pages["page.html"] = pages["page.html"].replace("</body>", '<script type="module" src="/steps.js"></script></body>')
    with shop(pages, {}) as address:
        shown = opened(f"{address}/page.html", tmp_path)
    assert '<h1 id="hero">Our shop</h1>' in shown
    assert "Scrolled" in re.search(r'data-waiting="([^"]*)"', shown)[1]


def test_segments_client_needs_a_host_and_a_key(url: str, tmp_path: Path):
    source = tmp_path / "package"
    source.mkdir()
    (source / "package.json").write_text('{"private": true, "dependencies": {"@segment/analytics-next": "1.84.3"}}')
    folder = tmp_path / "installed"
    folder.mkdir()
    bundle = installed(source, folder) / "node_modules/@segment/analytics-next/dist/umd/standalone.js"
    pages = files(url) | {"standalone.js": bundle.read_text("utf-8")}
    with shop(pages, {}) as address:
        opened(f"{address}/segment.html", tmp_path)

    def arrived() -> bool:
        return {"Page Viewed", "Identified", "Product Viewed"} <= {entry["summary"] for entry in entries(url, "bea")}

    eventually(arrived)


def test_the_snippet_for_a_bundler_is_the_one_that_the_browsers_test_uses():
    (snippet,) = blocks("text")
    assert 'AnalyticsBrowser.load({ writeKey: "WRITE_KEY", cdnURL: "http://127.0.0.1:8000" })' in snippet
    page = (ROOT / "tests/system/browser/page.mjs").read_text("utf-8")
    assert "AnalyticsBrowser.load({ writeKey, cdnURL: url })" in page
