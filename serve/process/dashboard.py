"""The Grafana dashboard, from a table of panels. The row that an SRE looks at first stands on top
(`docs/runbook.md`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from actors.platform import meter as m
from actors.platform.meter import Metric

_RATE = "[$__rate_interval]"
_WIDTH, _HEIGHT, _COLUMNS = 8, 7, 24


@dataclass(frozen=True, slots=True)
class Panel:
    """One graph: PromQL expressions, each with the legend of its lines."""

    title: str
    unit: str
    lines: tuple[tuple[str, str], ...]
    about: str = ""
    kind: Literal["timeseries", "stat"] = "timeseries"


def exported(metric: Metric) -> str:
    """The name of a metric at Ray's endpoint; for a histogram, that of its buckets."""
    return f"ray_{metric.name}" + {"counter": "_total", "gauge": "", "histogram": "_bucket"}[metric.kind]


def _rate(metric: Metric, by: str, where: str = "") -> str:
    return f"sum by ({by}) (rate({exported(metric)}{{{where}}}{_RATE}))"


def _count(metric: Metric, by: str) -> str:
    """The observations of a histogram per second. Its bucket `+Inf` counts all of them."""
    return _rate(metric, by, 'le="+Inf"')


def _quantile(of: float, metric: Metric, by: str = "", where: str = "") -> str:
    return f"histogram_quantile({of}, {_rate(metric, ', '.join(('le', *filter(None, [by]))), where)})"


def _latency(metric: Metric, by: str = "", where: str = "") -> tuple[tuple[str, str], ...]:
    label = f"{{{{{by}}}}} " if by else ""
    return tuple((_quantile(of, metric, by, where), f"{label}p{of * 100:g}") for of in (0.5, 0.99))


_KNOWN = f'sum (rate({exported(m.EVENTS_RESOLVED)}{{who="known"}}{_RATE}))'

ROWS: dict[str, tuple[Panel, ...]] = {
    "Is something wrong?": (
        Panel(
            "Decisions: p50 and p99 at the door",
            "s",
            _latency(m.HTTP_SECONDS, where='route="/v1/decide"'),
            "Over 50 ms shops see defaults.",
        ),
        Panel("Defaults instead of decisions", "ops", ((_rate(m.DEGRADED, "cause"), "{{cause}}"),)),
        Panel(
            "Answers that are no 200",
            "ops",
            ((_rate(m.HTTP_SECONDS, "route, status", 'le="+Inf", status!~"2.."'), "{{status}} {{route}}"),),
            "429: too much at once. 503: a shard is away, or the disk is full.",
        ),
        Panel("Inputs that wait", "short", ((f"sum by (part) ({exported(m.QUEUE_DEPTH)})", "{{part}}"),)),
        Panel(
            "Restarts of shards",
            "short",
            ((f"max by (part) ({exported(m.SHARD_EPOCH)})", "{{part}}"),),
            "Each step is one.",
        ),
        Panel(
            "From an opt-out to silence",
            "s",
            _latency(m.OPT_OUT_SECONDS),
            "Until it is durable and no provider is being handed a message any more.",
        ),
    ),
    "Decisions": (
        Panel(
            "Phases of a decision: p50 and p99",
            "s",
            (
                *_latency(m.DECIDE_SECONDS, "phase"),
                *((expr, f"commit {name}") for expr, name in _latency(m.COMMIT_SECONDS)),
            ),
        ),
        Panel("Held back, by reason", "ops", ((f"topk(12, {_rate(m.REFUSALS, 'reason')})", "{{reason}}"),)),
        Panel("Held back by a cap", "ops", ((_rate(m.REFUSALS, "reason", 'reason=~"cap[.].*"'), "{{reason}}"),)),
    ),
    "Events": (
        Panel("Events taken", "ops", ((_rate(m.EVENTS, "status"), "{{status}}"),)),
        Panel(
            "A source was heard of last",
            "s",
            ((f"time() - max by (source) ({exported(m.SOURCE_LAST_EVENT_SECONDS)})", "{{source}}"),),
        ),
        Panel(
            "How old events are when they arrive",
            "s",
            ((f"max by (source) ({exported(m.SOURCE_LAG_SECONDS)})", "{{source}}"),),
            "The oldest of each source. Grows while a source is catching up.",
        ),
        Panel("Requests by route", "ops", ((_rate(m.HTTP_SECONDS, "route", 'le="+Inf"'), "{{route}}"),)),
        Panel("Requests inside the ingress", "short", ((f"sum ({exported(m.HTTP_IN_FLIGHT)})", "inside"),)),
        Panel(
            "Set aside", "ops", ((_rate(m.DEAD_LETTERS, "part"), "{{part}}"),), "`segue dead-letters list` shows them."
        ),
    ),
    "Shards": (
        Panel(
            "The clock",
            "s",
            (
                (f"max by (part) ({exported(m.CLOCK_BEHIND_SECONDS)})", "{{part}}"),
                (f"max by (part) ({exported(m.CLOCK_JUMPS)})", "jumps {{part}}"),
            ),
            "By how much the machine's clock is ahead of the engine's. Above a minute it has jumped.",
        ),
        Panel("Turns", "ops", ((_rate(m.TURNS, "kind"), "{{kind}}"),)),
        Panel("A commit: p50 and p99", "s", _latency(m.COMMIT_SECONDS, "part"), "The disk, mostly."),
        Panel(
            "Turns that share a commit",
            "short",
            ((f"{_rate(m.TURNS, 'part')} / {_count(m.COMMIT_SECONDS, 'part')}", "{{part}}"),),
        ),
        Panel(
            "Profiles",
            "short",
            (
                (f"sum ({exported(m.PROFILES)})", "known"),
                (f"sum ({exported(m.PROFILES_ACTIVE)})", "in memory"),
            ),
        ),
        Panel("Memory of active profiles", "bytes", ((f"sum by (part) ({exported(m.CACHE_BYTES)})", "{{part}}"),)),
        Panel(
            "Facts about things",
            "short",
            (
                (f"max ({exported(m.FACTS_WAITING)})", "still being told"),
                (f"sum (rate({exported(m.FACTS_TOLD)}{_RATE}))", "customers told a second"),
            ),
        ),
        Panel("Messages on their way", "short", ((f"sum by (part) ({exported(m.MESSAGES_PENDING)})", "{{part}}"),)),
    ),
    "Who is who": (
        Panel(
            "Events of known people",
            "percentunit",
            ((f"{_KNOWN} / sum (rate({exported(m.EVENTS_RESOLVED)}{_RATE}))", "of all events"),),
            "The match rate. It falls when a client stops sending an identifier.",
        ),
        Panel(
            "Profiles, known and anonymous",
            "short",
            ((f"sum by (who) ({exported(m.PROFILES_RESOLVED)})", "{{who}}"),),
        ),
        Panel(
            "Identifiers per profile",
            "short",
            ((f"sum by (identifiers) ({exported(m.PROFILES_BY_IDENTIFIERS)})", "up to {{identifiers}}"),),
            "A growing `more` is a value that many people share.",
        ),
        Panel(
            "Merges and splits",
            "ops",
            tuple(
                (f"sum (rate({exported(metric)}{_RATE}))", name)
                for metric, name in ((m.MERGES, "merges"), (m.SPLITS, "splits"))
            ),
        ),
        Panel(
            "Open reviews",
            "short",
            ((f'sum by (kind) ({exported(m.REVIEWS)}{{state="open"}})', "{{kind}}"),),
            "`segue identity review` lists them.",
        ),
        Panel(
            "Shared values and likely links",
            "short",
            (
                (f"sum ({exported(m.SHARED_VALUES)})", "shared values"),
                (f"sum ({exported(m.PROFILES_LIKELY)})", "profiles with a likely link"),
            ),
        ),
        Panel(
            "Age of events when they are durable: p50 and p99",
            "s",
            _latency(m.FRESHNESS_SECONDS, "source"),
            "From the event's own time. A client that buffers shows here.",
        ),
    ),
    "Transitions": (
        Panel(
            "Context ready at another touchpoint: p95",
            "s",
            ((_quantile(0.95, m.TRANSITION_READY_SECONDS, "was, into"), "{{was}} → {{into}}"),),
            "Merges that were needed are in it. Goals stand in `identity.yaml`.",
        ),
        Panel("Goals missed", "ops", ((_rate(m.TRANSITIONS_MISSED, "was, into, by"), "{{was}} → {{into}} by {{by}}"),)),
        Panel(
            "Between two touchpoints: half of all",
            "s",
            ((_quantile(0.5, m.TRANSITION_SECONDS, "was, into"), "{{was}} → {{into}}"),),
        ),
    ),
    "Journeys and sends": (
        Panel("How late timers fire: p50 and p99", "s", _latency(m.TIMER_LATENESS_SECONDS)),
        Panel("Timers that wait", "short", ((f"sum by (part) ({exported(m.TIMERS_PENDING)})", "{{part}}"),)),
        Panel("Sends, by outcome", "ops", ((_rate(m.SENDS, "outcome"), "{{outcome}}"),)),
        Panel("Messages, by journey", "ops", ((_rate(m.MESSAGES, "journey, outcome"), "{{journey}} {{outcome}}"),)),
        Panel(
            "Messages, by action and variant",
            "ops",
            ((_rate(m.MESSAGES, "action, variant, channel", 'outcome="sent"'), "{{action}} {{variant}} {{channel}}"),),
            "What providers took; a sandbox is none.",
        ),
        Panel("Runs of journeys", "ops", ((_rate(m.RUNS, "journey, what"), "{{journey}} {{what}}"),)),
        Panel(
            "Actions chosen by decisions",
            "ops",
            ((_rate(m.SHOWN, "action, variant, channel"), "{{action}} {{variant}} {{channel}}"),),
        ),
        Panel("Displays and clicks", "ops", ((_rate(m.EXPOSURES, "action, event"), "{{action}} {{event}}"),)),
        Panel("Sends that wait", "short", ((f"sum by (part) ({exported(m.OUTBOX_WAITING)})", "{{part}}"),)),
        Panel("Hand-over to providers: p50 and p99", "s", _latency(m.HAND_OVER_SECONDS, "channel")),
        Panel(
            "Hand-overs that did not go well",
            "ops",
            (
                (
                    _rate(m.HAND_OVER_SECONDS, "channel, outcome", 'le="+Inf", outcome!~"sent|simulated"'),
                    "{{channel}} {{outcome}}",
                ),
            ),
        ),
    ),
}


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana imports it; it asks which Prometheus to read."""
    panels: list[dict[str, Any]] = []
    top = 0
    for title, row in ROWS.items():
        panels.append({"id": len(panels) + 1, "type": "row", "title": title, "gridPos": _place(0, top, _COLUMNS, 1)})
        top += 1
        for number, panel in enumerate(row):
            down, across = divmod(number, _COLUMNS // _WIDTH)
            place = _place(across * _WIDTH, top + down * _HEIGHT, _WIDTH, _HEIGHT)
            panels.append(_panel(len(panels) + 1, panel, place))
        top += -(-len(row) * _WIDTH // _COLUMNS) * _HEIGHT
    return {
        "title": "Segue",
        "uid": "segue",
        "tags": ["segue"],
        "schemaVersion": 39,
        "refresh": "10s",
        "time": {"from": "now-30m", "to": "now"},
        "templating": {
            "list": [{"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}]
        },
        "panels": panels,
    }


def _panel(number: int, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    source = {"type": "prometheus", "uid": "${source}"}
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "gridPos": place,
        "datasource": source,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {"refId": chr(ord("A") + index), "expr": expr, "legendFormat": legend, "datasource": source}
            for index, (expr, legend) in enumerate(panel.lines)
        ],
    }


def _place(across: int, down: int, width: int, height: int) -> dict[str, int]:
    return {"x": across, "y": down, "w": width, "h": height}
