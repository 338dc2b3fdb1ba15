"""The entry point of Locust: `locust -f loadtest/locustfile.py` plays for 20 s by default, against this machine only.

The exit code is 1 on any failure and where a limit is passed. `--processes 2` plays on two cores, `--html FILE` writes
a report, `--shape` says who comes when.
"""

from __future__ import annotations

import sys
from typing import Any, NoReturn

from locust import events
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.runners import WorkerRunner
from locust.util.timespan import parse_timespan

from loadtest.locust import shapes, thresholds
from loadtest.locust.loopback import why_refused
from loadtest.locust.users import WRITE_KEY, AppVisitor, EventSource, Till, WebVisitor

# Locust plays the user classes that it finds in this module.
__all__ = ["AppVisitor", "EventSource", "Till", "WebVisitor"]

_USERS = 20


@events.init_command_line_parser.add_listener
def _bound_the_run(parser: LocustArgumentParser, **_: Any) -> None:
    """A run ends by itself unless it is told otherwise."""
    parser.set_defaults(run_time="20s", stop_timeout="5s")
    ours = parser.add_argument_group("Segue")
    ours.add_argument("--shape", choices=["steady", *shapes.SHAPES], default="steady", help="who comes when")
    ours.add_argument("--decide-p99", type=float, default=1_000, help="ms; 0: no limit")
    ours.add_argument("--ingest-p99", type=float, default=2_000, help="ms; 0: no limit")


@events.init.add_listener
def _check_before_the_first_request(environment: Environment, **_: Any) -> None:
    if refusal := why_refused(environment.host):
        _refuse(refusal)
    if not WRITE_KEY:
        _refuse("no write key: set SEGUE_WRITE_KEY to the one that `segue up` printed")
    options = environment.parsed_options
    if options is not None and options.shape != "steady" and not isinstance(environment.runner, WorkerRunner):
        users, run_time = options.num_users or _USERS, options.run_time
        seconds = run_time if isinstance(run_time, int) else parse_timespan(str(run_time))
        environment.shape_class = shapes.of(options.shape, users, seconds, [Till, AppVisitor])


@events.quitting.add_listener
def _judge(environment: Environment, **_: Any) -> None:
    """Exit 1 where a limit was passed. A worker leaves that to the master, which sums up."""
    if isinstance(environment.runner, WorkerRunner) or environment.parsed_options is None:
        return
    options = environment.parsed_options
    limits = {"decide_p99": options.decide_p99, "ingest_p99": options.ingest_p99}
    for line in thresholds.broken(environment.stats, limits):
        print(f"limit: {line}", file=sys.stderr)
        environment.process_exit_code = 1


def _refuse(reason: str) -> NoReturn:
    print(reason, file=sys.stderr)
    sys.exit(2)
