"""`segue demo`: an engine on a replay clock, a month of a synthetic shop through it, and a page about what happened."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from actors.catalog_files import event_files
from actors.platform.ports import free_port
from loadtest.world import shop_world
from serve.commands import screen
from serve.commands.running.replay import run_with_bar
from serve.commands.up import announce
from serve.demo import story, story_page
from serve.demo.mail_server import MailServer
from serve.demo.replayer import EngineClient, Replayer
from serve.process import interrupts, which_catalog
from serve.process import settings as process_settings
from serve.process.engine_process import EngineProcess

_CUSTOMERS = 1_500  # so many that their month, with start and end, passes within two minutes on two cores
_PEOPLE = 400  # customers whose timelines are read for the page
_DECISIONS = 60
_PLACEMENT = "home_hero"  # of the shipped catalog
_WORLD = Path(tempfile.gettempdir()) / f"segue-shop-world-{os.getuid()}"  # kept for the next time


def demo(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Your own event files; the shop world without any.")
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", help="The directory of the catalog.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the engine running until Ctrl-C.")] = False,
) -> None:
    """Start an engine on a fresh data directory, replay a month of a shop, and show what happened."""
    console = screen.console()
    with _engine(console, config) as (engine, mail_server, client):
        files = files or [_shop_world(console)]
        with screen.waiting(console, "starting the engine"):
            engine.start()
        interrupts.listen()  # again, because Ray has set handlers of its own
        began = time.monotonic()
        done = run_with_bar(console, Replayer(client, is_replay=True), files, drain=True)
        seconds = time.monotonic() - began
        status = client.get("/v1/status")
        story_page.totals(console, done, status, seconds, mail_server)
        _tell(console, client, mail_server, files, _placement(engine.catalog.placements), status["identity"])
        story_page.what_next(console, engine.settings.url, engine.dashboard_url, keep)
        if keep:
            announce(console, engine)
            interrupts.wait()


def _shop_world(console: Console) -> Path:
    console.print(f"A synthetic shop: {_CUSTOMERS:,} invented customers, 30 days.", style="dim")
    with screen.waiting(console, "writing its history"):
        return shop_world.write(_WORLD, customers=_CUSTOMERS).events


def _placement(placements: Collection[str]) -> str | None:
    """Where the decision that is shown is taken; None in a catalog without a placement."""
    return _PLACEMENT if _PLACEMENT in placements else next(iter(placements), None)


def _tell(
    console: Console,
    client: EngineClient,
    mail_server: MailServer,
    files: list[Path],
    placement: str | None,
    figures: dict[str, Any],
) -> None:
    users = _some_users(files)
    people = story.read_people(client, users)
    story_page.one_customer(console, story.best_path(people))
    decision = story.telling_decision(client, users[:_DECISIONS], placement) if placement else None
    story_page.one_decision(console, placement, decision)
    found = story.conversions(people, mail_server)
    story_page.who_is_who(console, figures, found, people)
    story_page.the_proof(console, found, len(people), mail_server)


def _some_users(files: list[Path]) -> list[str]:
    """Customers of a history as `user_id:…`, first those who did something beyond looking."""
    weight: dict[str, int] = {}
    for line in event_files.read(files):
        if line.problem:
            continue
        event: dict[str, Any] = json.loads(line.raw)
        user = event.get("userId")
        if user:
            interesting = event.get("event") in ("Order Completed", "Product Added") or event.get("type") == "alias"
            weight[str(user)] = weight.get(str(user), 0) + interesting
    return [f"user_id:{user}" for user in sorted(weight, key=lambda user: -min(weight[user], 6))[:_PEOPLE]]


@contextmanager
def _engine(console: Console, config: Path | None) -> Iterator[tuple[EngineProcess, MailServer, EngineClient]]:
    """An engine to start, on a fresh directory and with a mail server behind it; nothing of it is left afterwards."""
    with ExitStack() as left:
        directory = Path(tempfile.mkdtemp(prefix="segue-demo-"))
        left.callback(shutil.rmtree, directory, ignore_errors=True)
        mail_server = MailServer()
        left.callback(mail_server.close)
        engine, client = _engine_of(config, directory, mail_server)
        console.print(escape(which_catalog.line(engine.settings.config, engine.catalog.version)), soft_wrap=True)
        try:
            yield engine, mail_server, client
        except KeyboardInterrupt:
            pass
        finally:
            interrupts.ignore()
            client.close()
            with screen.waiting(console, "stopping"):
                engine.stop()


def _engine_of(config: Path | None, directory: Path, mail_server: MailServer) -> tuple[EngineProcess, EngineClient]:
    """CatalogError or UsageError where it cannot run."""
    key = os.environ.get("SEGUE_SERVER_KEY") or "sk_" + secrets.token_urlsafe(32)
    smtp = {"SEGUE_SMTP_HOST": "127.0.0.1", "SEGUE_SMTP_PORT": str(mail_server.port)}
    os.environ.update(smtp)  # where the catalog's e-mail channel looks for its server
    asked = process_settings.read(
        config=config,
        data=directory / "data",
        port=free_port(),
        clock="replay",
        environment=os.environ | {"SEGUE_SERVER_KEY": key},
    )
    interrupts.listen()
    return EngineProcess(asked), EngineClient(asked.url, key)
