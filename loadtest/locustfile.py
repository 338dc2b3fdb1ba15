"""What `locust -f loadtest/locustfile.py` plays: 20 s by default, against this machine only, exit 1 on any failure."""

from __future__ import annotations

import sys
from typing import Any, NoReturn

from locust import events
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment

from loadtest.loopback import why_refused
from loadtest.users import WRITE_KEY, EventSource, WebVisitor

__all__ = ["EventSource", "WebVisitor"]


@events.init_command_line_parser.add_listener
def _bound_the_run(parser: LocustArgumentParser, **_: Any) -> None:
    """A run ends by itself unless it is told otherwise."""
    parser.set_defaults(run_time="20s", stop_timeout="5s")


@events.init.add_listener
def _check_before_the_first_request(environment: Environment, **_: Any) -> None:
    if refusal := why_refused(environment.host):
        _refuse(refusal)
    if not WRITE_KEY:
        _refuse("no write key: set SEGUE_WRITE_KEY to the one that `segue up` printed")


def _refuse(reason: str) -> NoReturn:
    print(reason, file=sys.stderr)
    sys.exit(2)
