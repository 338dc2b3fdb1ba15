"""Conservation: in random lives every event, message, no, run, draw and audit entry is accounted for once.

`tests/engine/splitting/test_crossed_splits.py` tells what such lives have found; `make prove ONLY=lives` plays more.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from support.lives import Conservation


def test_every_event_no_run_draw_and_entry_is_accounted_for_once():
    run_state_machine_as_test(
        Conservation,
        settings=settings(
            max_examples=15, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


@pytest.mark.slow
def test_the_same_in_long_lives():
    run_state_machine_as_test(
        Conservation,
        settings=settings(
            max_examples=int(os.environ.get("EXAMPLES", "100")),
            stateful_step_count=60,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],  # a life is too long to be shrunk in the time of a test
        ),
    )
