"""Random journeys of every kind of step, and random streams of events for the people in them.

Every circle has a wait in it and every jump a bound, so each run ends in the end: what a test may ask for.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from engine.inputs import Event
from engine.vocabulary import DAY_MS, HOUR_MS, MINUTE_MS
from support.world import START_MS, action, document

ACTIONS = ("one", "two", "wait_worthy")
BEGINS, RESETS, ANSWERS, STOPS = "Began", "Again", "Answered", "Bought"
PEOPLE = ("ada", "bob")
_ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe")
_spans = st.sampled_from(["1m", "1h", "5h", "2d"])
_held = st.sampled_from(["continue", "exit", "wait"])

sends = st.builds(lambda name, held: {"send": {"action": name, "channel": "sms", "on_held": held}},
                  st.sampled_from(ACTIONS), _held)  # fmt: skip
durations = st.builds(lambda span, resets, late: {"wait": {"for": span, "late": late} | resets},
                      _spans, st.sampled_from([{}, {"reset_on": [RESETS], "reset_until": "3d"}]),
                      st.sampled_from(["fire", "coalesce", {"drop_if_late": "1h"}]))  # fmt: skip
moments = st.builds(
    lambda time, day, date: {"wait": {"until": {"time": "18:00"} | time | day | date}},
    st.sampled_from([{"time": "02:30"}, {"time": "09:00"}]),
    st.sampled_from([{}, {"weekday": ["FRI", "SUN"]}]),
    st.sampled_from([{}, {"trait": "trip", "offset": "-1d", "on_missing": "continue"}, {"trait": "trip"}]),
)
updates = st.sampled_from([
    {"update": {"traits": {"vip": True}}},
    {"update": {"traits": {"vip": None, "from": "$event.k"}, "tags": {"add": ["seen"]}}},
])  # fmt: skip
webhooks = st.just({"webhook": {"url": "https://crm.example/", "body": {"k": "$event.k"}}})


def _awaits(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    what = st.sampled_from([
        {"event": ANSWERS}, {"segment": "vip"}, {"segment": {"id": "vip", "on": "exit"}},
        {"outcome": "sent"}, {"outcome": ["refused", "held"]}, {"outcome": "delivered"},
    ])  # fmt: skip
    ending = st.sampled_from(["continue", "exit"]) | inner.map(lambda steps: {"steps": steps})
    return st.builds(
        lambda asked, span, met, late, resets: {
            "wait_for": asked | {"timeout": span, "on_event": met, "on_timeout": late} | resets
        },
        what, _spans, ending, ending, st.sampled_from([{}, {"reset_on": [RESETS]}]),
    )  # fmt: skip


def _branches(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return inner.map(lambda steps: {"branch": [{"when": {"segment": "vip"}, "steps": steps}]})


def _splits(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return inner.map(lambda steps: {"split": {"id": "", "arms": {"a": 50, "b": 50}, "steps": {"a": steps}}})


def _parallels(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(
        lambda one, two, join: {"parallel": {"arms": {"a": one, "b": two}, "join": join}},
        inner, inner, st.sampled_from(["all", "any"]),
    )  # fmt: skip


def _loops(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A wait that a jump leads back to, as steps in a row."""
    return st.builds(
        lambda span, steps, times: [{"id": "", "wait": {"for": span}}, *steps, {"goto": "", "at_most": times}],
        _spans, inner, st.integers(1, 3),
    )  # fmt: skip


def _lists(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    nested = st.one_of(_awaits(inner), _branches(inner), _splits(inner), _parallels(inner)).map(lambda step: [step])
    rows = st.lists(nested | _loops(inner) | inner, min_size=1, max_size=3)
    return rows.map(lambda lists: [step for steps in lists for step in steps])


_plain = st.lists(st.one_of(sends, durations, moments, updates, webhooks), min_size=1, max_size=3)
programs = st.recursive(_plain, _lists, max_leaves=6).map(lambda steps: _with_a_message(_named(steps)))


def _with_a_message(steps: list[Any]) -> list[Any]:
    """The steps, and a message before them where they wait for what becomes of one and send none."""
    words = repr(steps)
    needs_one = "'outcome'" in words and "'send'" not in words
    return [{"send": {"action": "one", "channel": "sms"}}, *steps] if needs_one else steps


def _named(steps: list[Any]) -> list[Any]:
    """The steps with a name for each split and each target of a jump; what nobody would reach is left out."""
    count = iter(range(1_000))

    def named(inner: list[Any]) -> list[Any]:
        made, last = [], ""
        for step in inner:
            step = {word: each(word, body) for word, body in step.items()}
            if step.get("id") == "":
                last = step["id"] = f"loop{next(count)}"
            if step.get("goto") == "":
                step["goto"] = last
            made.append(step)
            if _ends(step):
                break
        return made if _has_both_ends(made) else [step for step in made if "goto" not in step] or made

    def each(word: str, body: Any) -> Any:
        match word:
            case "branch":
                return [arm | {"steps": named(arm["steps"])} for arm in body]
            case "split":
                arms = {arm: named(within) for arm, within in body["steps"].items()}
                return body | {"id": f"split{next(count)}", "steps": arms}
            case "parallel":
                return body | {"arms": {arm: named(within) for arm, within in body["arms"].items()}}
            case "wait_for":
                ends = {end: {"steps": named(body[end]["steps"])} for end in ("on_event", "on_timeout")
                        if isinstance(body[end], dict)}  # fmt: skip
                return body | ends
        return body

    return named(steps)


def _has_both_ends(steps: list[Any]) -> bool:
    there = {step.get("id") for step in steps}
    return all(step["goto"] in there for step in steps if "goto" in step)


def _ends(step: Any) -> bool:
    """Whether nothing behind a step is ever reached, as the check of a catalog sees it."""
    if "wait_for" in step:
        ends = (step["wait_for"]["on_event"], step["wait_for"]["on_timeout"])
        return all(end == "exit" or (isinstance(end, dict) and any(map(_ends, end["steps"]))) for end in ends)
    if "parallel" in step:
        arms = [any(map(_ends, arm)) for arm in step["parallel"]["arms"].values()]
        return any(arms) if step["parallel"]["join"] == "all" else all(arms)
    return False


def shop(steps: list[Any]) -> dict[str, Any]:
    """A workspace with one random journey, a second plain one, and stops for both."""
    texts = [action(name, tier="service", purpose="service", channels=["sms"]) for name in ACTIONS]
    caps = [{"id": "few", "limit": 2, "per": "1d", "match": {"action": ["wait_worthy"]}}]
    way = {"id": "way", "tier": "promotional", "trigger": {"event": BEGINS}, "key": "k", "steps": steps,
           "re_entry": {"concurrent": 2}}  # fmt: skip
    plain = [{"wait": {"for": "3h"}}, {"send": {"action": "two", "channel": "sms"}}]
    other = {"id": "other", "tier": "lifecycle", "trigger": {"event": ANSWERS}, "steps": plain}
    return document(
        actions=texts,
        journeys=[way, other],
        segments={"segments": {"vip": {"trait": {"name": "vip", "is": True}}}},
        policies={
            "workspace": {"zone": "Europe/Berlin"},
            "caps": caps,
            "stops": [{"id": "bought", "on": STOPS, "tier": "promotional"}],
        },
    )


def _told(number: int, row: tuple[Any, ...]) -> Event:
    who, what, at_ms, key, ago_ms = row
    said: dict[str, Any] = {"kind": "track", "name": what, "properties": {"k": key}}
    if isinstance(what, dict):
        said = {"kind": "identify", "name": "Identified", **what}
    came_ms = START_MS + at_ms
    return Event(
        at_ms=came_ms - ago_ms,
        received_at_ms=came_ms,
        source="test",
        channel="web",
        message_id=f"m{number}",
        user_id=who,
        **said,
    )


_names = st.sampled_from([BEGINS, STOPS, ANSWERS, RESETS])
_changes: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from([{"traits": {"vip": True}}, {"traits": {"vip": False}}]),
    st.sampled_from([{"traits": {"trip": "2026-03-20"}}, {"traits": {"trip": "2026-03-05"}}]),
    st.sampled_from(_ZONES).map(lambda zone: {"context": {"timezone": zone}}),
)
_times = st.sampled_from([0, 1, MINUTE_MS, HOUR_MS, HOUR_MS + 1, 5 * HOUR_MS, DAY_MS, 2 * DAY_MS, 9 * DAY_MS])
_rows = st.tuples(st.sampled_from(PEOPLE), _names | _names | _names | _changes, _times, st.sampled_from(["1", "2"]),
                  st.sampled_from([0, 0, 0, 1, HOUR_MS]))  # fmt: skip
_FIRST = [(who, BEGINS, 0, "1", 0) for who in PEOPLE]
streams = st.lists(_rows, min_size=4, max_size=16).map(
    lambda rows: [_told(number, row) for number, row in enumerate(sorted(_FIRST + rows, key=lambda row: row[2]))]
)
