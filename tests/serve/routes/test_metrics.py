"""The dashboard, the runbook and what is measured must speak of the same things."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from actors.platform import meter
from actors.platform.meter import METRICS, Histogram, Metric
from serve.process.dashboard import ROWS, dashboard, exported

ROOT = Path(__file__).resolve().parents[3]
RUNBOOK = (ROOT / "docs/runbook.md").read_text("utf-8")
REFERENCE = (ROOT / "docs/reference.md").read_text("utf-8")


def test_the_shipped_dashboard_is_the_one_that_the_command_prints():
    shipped = json.loads((ROOT / "docs/grafana/segue.json").read_text("utf-8"))
    assert shipped == dashboard(), "renew it: segue dashboard --out docs/grafana/segue.json"


def test_every_metric_is_reported_somewhere():
    sources = [path for room in ("actors", "serve") for path in (ROOT / room).rglob("*.py")]
    told = {word for path in sources if path.name != "meter.py" for word in re.findall(r"\w+", path.read_text("utf-8"))}
    assert [name for name, value in vars(meter).items() if isinstance(value, Metric) and name not in told] == []


def test_a_metric_says_what_it_is_in_letters_that_ray_takes():
    assert [metric.name for metric in METRICS if not (metric.name + metric.about).isascii()] == []


@given(
    st.lists(st.floats(0, 10), min_size=1, max_size=8, unique=True).map(sorted),
    st.lists(st.one_of(st.floats(0, 11), st.integers(0, 10)), max_size=40),
)
def test_a_histogram_counts_what_is_not_above_each_bound(bounds, values):
    histogram = Histogram(Metric("segue_test", "histogram", "", (), tuple(bounds)), ())
    for value in values:
        histogram.add(value)
    assert list(histogram.upto().values()) == [sum(value <= bound for value in values) for bound in (*bounds, math.inf)]
    assert histogram.has_news() == bool(values) and not histogram.has_news()


def test_a_panel_asks_for_nothing_that_is_not_measured_and_everything_measured_is_on_a_panel():
    asked = {name for row in ROWS.values() for panel in row for expr, _ in panel.lines for name in names_in(expr)}
    assert asked == {exported(metric) for metric in METRICS}


def test_a_panel_groups_by_labels_that_its_metric_has():
    labels = {exported(metric): {"part", "le", *metric.tags} for metric in METRICS}
    for row in ROWS.values():
        for panel in row:
            for expr, legend in panel.lines:
                names = names_in(expr)
                grouped = {word for found in re.findall(r"by \(([^)]*)\)", expr) for word in found.split(", ")}
                matched = set(re.findall(r"(\w+)(?:=~|!~|!=|=)\"", expr))
                assert (grouped | matched | set(re.findall(r"\{\{(\w+)\}\}", legend))) <= set.intersection(
                    *(labels[name] for name in names)
                )


def test_the_reference_has_every_metric_and_the_runbook_names_graphs_that_exist():
    rows = dict(re.findall(r"^\| `(ray_segue_\w+)` \| ([^|]+) \|", REFERENCE, re.MULTILINE))
    shown = {exported(metric).removesuffix("_bucket"): metric for metric in METRICS}
    assert set(rows) == set(shown)
    for name, metric in shown.items():
        assert re.findall(r"`(\w+)`", rows[name]) == list(metric.tags)
    titles = {panel.title for row in ROWS.values() for panel in row}
    named = set(re.findall(r'\*?"([A-Z][^"]+)"', RUNBOOK))
    missing = {each for each in named if not any(title.startswith(each.rstrip(".")) for title in titles)}
    assert missing == set()


def names_in(expr: str) -> list[str]:
    return re.findall(r"ray_segue_\w+", expr)
