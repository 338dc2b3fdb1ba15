"""The benchmark's own arithmetic: what wrk says, what a ratio is, what the table and the JSON show. Starts nothing."""

from __future__ import annotations

import dataclasses
import json
from io import StringIO

import pytest
from rich.console import Console

from actors.catalog_files import config_files
from engine.catalog.compile import compile_document
from engine.effects import Answer
from engine.errors import UsageError
from engine.inputs import Decide
from engine.turn import handle
from loadtest.bench import compare, figures, over_http, resolution, rules
from loadtest.bench.compare import Change
from loadtest.bench.figure import Figure
from loadtest.bench.figures import Report
from loadtest.bench.over_http import Load
from loadtest.peers import redis_rules
from loadtest.peers.redis_rules import Person
from loadtest.processes.engine import EngineError
from loadtest.processes.running import environment, kind_of
from loadtest.world import bench_catalog, shop_world
from serve.ingest import pipeline, segment_format

WRK = """Running 2s test @ http://127.0.0.1:8000
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     5.67ms    2.31ms  41.02ms   88.36%
    Req/Sec     5.78k   311.80     6.23k    80.00%
  Latency Distribution
     50%  612.00us
     75%    6.01ms
     90%    7.99ms
     99%    1.25s 
  11538 requests in 2.01s, 1.65MB read
Requests/sec:   5742.18
Transfer/sec:    841.14KB
"""
TROUBLE = """  Socket errors: connect 1, read 2, write 0, timeout 4
  Non-2xx or 3xx responses: 10
Requests/sec:"""


def load(**changes: float) -> Load:
    values = {"requests": 100, "per_s": 500.0, "p50_ms": 2.0, "p99_ms": 8.0} | changes
    return Load(**values)


# -- what wrk says


def test_latencies_of_wrk_become_milliseconds_whatever_unit_it_chose():
    assert over_http.parse(WRK) == Load(11538, 5742.18, 0.612, 1250.0)


def test_refused_requests_and_broken_connections_are_errors():
    seen = over_http.parse(WRK.replace("Requests/sec:", TROUBLE))
    assert (seen.refused, seen.broken) == (10, 7)


@pytest.mark.parametrize("output", ["", "unable to connect to 127.0.0.1:8000 Connection refused", WRK[:200]])
def test_what_wrk_does_not_usually_say_is_no_figure(output: str):
    with pytest.raises(EngineError, match="wrk said something else"):
        over_http.parse(output)


def test_rounds_are_added_where_they_count_and_averaged_where_they_rate():
    both = over_http.mean([load(), load(requests=50, per_s=300.0, p50_ms=4.0, p99_ms=10.0)])
    assert both == Load(150, 400.0, 3.0, 9.0)


# -- figures


def test_a_ratio_is_the_figure_by_its_baseline():
    assert Figure("x", 30.0, "ms", "y", 12.0).ratio == 2.5


def test_without_a_baseline_there_is_no_ratio():
    assert Figure("shards", 122.0, "MB", "empty Ray Serve", 0.0).ratio is None


def test_a_decision_is_compared_with_the_no_op_at_as_many_connections():
    rate, middle, slow = figures.decide_figures(32, load(), load(per_s=1000.0, p50_ms=1.0, p99_ms=4.0))
    assert (rate.ratio, middle.ratio, slow.ratio) == (0.5, 2.0, 2.0)
    assert [figure.unit for figure in (rate, middle, slow)] == ["requests/s", "ms", "ms"]
    assert rate.target == "≥ 0.6 ×"


def test_ingest_counts_events_and_its_baseline_requests():
    events, _ = figures.ingest_figures(load(per_s=150.0), load(per_s=3000.0))
    assert (events.value, events.unit, events.baseline_unit, events.ratio) == (15_000, "events/s", "requests/s", 5.0)


@pytest.mark.parametrize(
    ("after", "is_a_figure"),
    [
        ({"accepted": 10_005, "repeated": 1, "rejected": 0}, True),
        ({"accepted": 10_105, "repeated": 1, "rejected": 0}, True),  # wrk did not wait for the last answers
        ({"accepted": 10_004, "repeated": 1, "rejected": 0}, False),
        ({"accepted": 10_005, "repeated": 2, "rejected": 0}, False),
        ({"accepted": 10_005, "repeated": 1, "rejected": 1}, False),
    ],
)
def test_ingest_is_believed_only_when_the_engine_took_it_all_as_new(after: dict[str, int], is_a_figure: bool):
    before = {"accepted": 5, "repeated": 1, "rejected": 0}
    if is_a_figure:
        figures.check_taken(before, after, load(requests=100))
    else:
        with pytest.raises(EngineError, match="the engine says"):
            figures.check_taken(before, after, load(requests=100))


def test_memory_is_the_sum_of_its_kinds_and_each_kind_stands_beside_its_own():
    ready, empty = {"shards": 120.0, "gcs": 40.0}, {"gcs": 20.0}
    total, loaded, shards, gcs = figures.memory_figures(ready, {"shards": 200.0, "gcs": 40.0}, empty)
    assert (total.value, total.ratio, loaded.value) == (160.0, 8.0, 240.0)
    assert (shards.name.strip(), shards.ratio) == ("shards", None)
    assert (gcs.name.strip(), gcs.ratio) == ("gcs", 2.0)


# -- the report


REPORT = Report(
    (
        Figure("decide", 735.0, "µs", "loop", 24.5, target="≤ 60 µs"),
        Figure("ingest", 15_300.0, "events/s", "GET /healthz", 3000.0, "requests/s"),
        Figure("shards", 122.0, "MB", "empty Ray Serve", 0.0),
    ),
    (over_http.WRK_MISSING,),
)


def test_the_table_shows_each_figure_beside_its_baseline():
    console = Console(file=StringIO(), width=200)
    console.print(figures.table(REPORT))
    lines = console.file.getvalue().splitlines()
    cells = [[cell.strip() for cell in line.strip("│ ").split("│")] for line in lines if line.startswith("│")]
    assert cells == [
        ["decide", "735 µs", "loop", "24.5 µs", "30.00", "≤ 60 µs"],
        ["ingest", "15,300 events/s", "GET /healthz", "3,000 requests/s", "5.10"],
        ["shards", "122 MB", "empty Ray Serve", "–", "–"],
    ]


def test_the_json_holds_the_figures_their_ratios_and_what_is_missing():
    told = json.loads(figures.as_json(REPORT))
    assert [row["ratio"] for row in told["figures"]] == [30.0, 5.1, None]
    assert told["figures"][0]["value"] == 735.0
    assert told["missing"] == ["wrk is not installed (Debian: wrk)"]
    assert told["machine"]["cores"] >= 1


# -- what is measured


def test_each_placement_matches_twenty_of_the_two_hundred_actions():
    catalog = compile_document(bench_catalog.document())
    shown = [action for action in catalog.actions.values() if action.placements]
    assert len(shown) == 200
    for placement in bench_catalog.PLACEMENTS:
        assert sum(placement in action.placements for action in shown) == 20
    assert all(bench_catalog.EVERYWHERE in action.placements for action in shown)


def test_the_catalog_is_the_same_from_its_files(tmp_path):
    written = config_files.load(bench_catalog.write(tmp_path))
    assert written.version == compile_document(bench_catalog.document()).version


def test_every_batch_has_a_hundred_places_for_message_ids_and_no_times():
    past = list(shop_world.generate(customers=60, days=3, seed=3))
    batches = list(over_http.bodies(past))
    assert batches
    for body in batches:
        sent = json.loads(body.replace("~", "run1-7-"))["batch"]
        assert len({event["messageId"] for event in sent}) == len(sent) == over_http.BATCH
        assert not any("timestamp" in event or event["type"] == "alias" for event in sent)


def test_the_catalog_of_the_benchmarks_takes_every_event_that_they_send():
    catalog = compile_document(bench_catalog.document())
    for body in over_http.bodies(list(shop_world.generate(customers=200, days=3))):
        sent = segment_format.parse_body(
            body.encode(),
            None,
            source="web",
            channel="web",
            received_at_ms=shop_world.START_MS,
            rules=catalog.identity,
        )
        pipeline.find_each_profile(catalog, sent.items)
        pipeline.quarantine_what_is_not_to_be_sent(catalog, sent.items)
        assert [item.message for item in sent.items if item.event is None] == []


@pytest.mark.parametrize(
    ("name", "command", "kind"),
    [
        ("ray::ProfileShard", ["ray::ProfileShard"], "shards"),
        ("ray::ServeReplica:segue:ingress", ["ray::ServeReplica:segue:ingress"], "ingress"),
        ("ray::ServeController", ["ray::ServeController"], "controller"),
        ("raylet", ["/ray/raylet/raylet", "--dashboard_agent_command=dashboard/agent.py"], "raylet"),
        ("gcs_server", ["/ray/gcs/gcs_server", "--log_dir=/tmp"], "gcs"),
        ("haproxy", ["/ray/haproxy", "-f", "haproxy.cfg"], "haproxy"),
        ("python", ["python", "ray/dashboard/dashboard.py"], "dashboard"),
        ("python", ["python", "-u", "log_monitor.py"], "Ray's monitors and agents"),
    ],
)
def test_a_process_is_known_by_its_command_line(name: str, command: list[str], kind: str):
    assert kind_of(name, command) == kind


def test_an_engine_of_the_benchmark_is_not_pointed_elsewhere(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    monkeypatch.setenv("SEGUE_HOST", "0.0.0.0")
    made = environment({"SEGUE_WRITE_KEY": "k"})
    assert made["SEGUE_WRITE_KEY"] == "k"
    assert "RAY_ADDRESS" not in made
    assert "SEGUE_HOST" not in made


def test_the_other_ways_come_to_the_same_choice_as_the_engine(monkeypatch: pytest.MonkeyPatch):
    chosen: list[str | None] = []
    monkeypatch.setattr(rules, "_median_us", lambda decide: chosen.append(decide()) or 1.0)
    person = rules.person_of(bench_catalog.customer(), bench_catalog.CONTEXT)
    catalog = dataclasses.replace(compile_document(bench_catalog.document()), id_key=bench_catalog.ID_KEY)
    for placement in (*bench_catalog.PLACEMENTS, bench_catalog.EVERYWHERE):
        asked = Decide(placement=placement, channel="web", context=bench_catalog.CONTEXT)
        effects = handle(bench_catalog.customer(), asked, catalog, bench_catalog.START_MS)
        (answer,) = [effect.value for effect in effects if isinstance(effect, Answer)]
        rules.loop_us(person, bench_catalog.document(), placement)
        rules.library_us(person, bench_catalog.document(), placement)
        wanted = answer["actions"][0]["actionId"] if answer["actions"] else None
        assert chosen[-2:] == [wanted, wanted], placement


def test_the_peer_comes_to_the_same_choice_as_the_engine():
    customer, now_ms = bench_catalog.customer(), bench_catalog.START_MS
    catalog = dataclasses.replace(compile_document(bench_catalog.document()), id_key=bench_catalog.ID_KEY)
    events: dict[str, list[tuple[int, dict[str, object]]]] = {}
    for each in customer.history.events:
        events.setdefault(each.name, []).append((each.at_ms, each.properties))
    for placement in (*bench_catalog.PLACEMENTS, bench_catalog.EVERYWHERE):
        asked = Decide(placement=placement, channel="web", context=bench_catalog.CONTEXT)
        effects = handle(bench_catalog.customer(), asked, catalog, now_ms)
        (answer,) = [effect.value for effect in effects if isinstance(effect, Answer)]
        person = Person(customer.trait_values, bench_catalog.CONTEXT, events, now_ms, {})
        candidates, caps = redis_rules.compiled(bench_catalog.document(), placement)
        going = redis_rules.best(candidates, caps, [0] * len(caps), person)
        wanted = [shown["actionId"] for shown in answer["actions"]]
        assert [each.id for each in going[:1]] == wanted, placement


# -- two runs


def test_two_runs_are_compared_by_their_ratios_and_by_values_where_there_are_none(tmp_path):
    old = (Figure("a", 10, "ms", "b", 5), Figure("gone", 1, "s", "", 0), Figure("plain", 4, "s", "", 0))
    file = tmp_path / "old.json"
    file.write_text(figures.as_json(Report(old)), "utf-8")
    now = (Figure("a", 30, "ms", "b", 10), Figure("new", 1, "s", "", 0), Figure("plain", 2, "s", "", 0))
    found = list(compare.changes(now, compare.read(file)))
    assert found == [Change("a", 2.0, 3.0, True, 1.5), Change("plain", 4.0, 2.0, False, 0.5)]
    shown = StringIO()
    Console(file=shown, width=120).print(compare.table(found))
    assert shown.getvalue().count("*") == 2


@pytest.mark.parametrize("text", ["", "[]", '{"figures": [{"name": "a"}]}'])
def test_a_file_without_figures_is_named_before_anything_is_measured(tmp_path, text: str):
    file = tmp_path / "old.json"
    file.write_text(text, "utf-8")
    with pytest.raises(UsageError) as fault:
        compare.read(file)
    assert fault.value.field == "--compare"


def test_answers_that_show_nothing_or_come_too_late_are_counted():
    seen = over_http.parse(WRK + "Answers: 12 empty, 3 degraded\n")
    assert (seen.empty, seen.degraded) == (12, 3)


def test_an_event_known_by_a_card_alone_takes_one_hop_and_every_visitor_is_merged():
    by_user, by_card, hops = resolution.found_us(customers=20)
    assert hops == (0, 1) and by_user > 0 and by_card > 0
    assert resolution.resolution_us(rounds=10) > 0
    assert min(resolution.merge_us(pairs=5)) > 0
