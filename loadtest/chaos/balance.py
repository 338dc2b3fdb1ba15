"""Compares the promises to clients with the engine's answers and the mail that arrived.

Each check yields one line per difference, which names the customer and the thing. The checks know nothing of Segue's
inside. They know the promises of the shop's catalog, and what the reference says of timelines and outcomes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final

from loadtest.chaos.ledger import Found, Ledger, Mail, Told
from loadtest.chaos.shop import CAPS, JOURNEYS, PURCHASE

FINAL: Final = frozenset({"sent", "simulated", "unknown", "withdrawn", "held", "refused", "failed", "expired"})
HAND_OVER_MS: Final = 35_000  # a hand-over that has begun ends within this: its deadline of 30 s, and 5 s of grace
_NAMED_MAX: Final = 20  # imbalances of one check that are named; the others are counted

Check = Iterator[str]


class Page:
    """One customer, by the engine's profile and timeline."""

    def __init__(self, profile: dict[str, Any], timeline: list[dict[str, Any]]) -> None:
        self.events = Counter(row.get("messageId", "") for row in timeline if row["kind"] == "event")
        self.entered: defaultdict[str, list[str]] = defaultdict(list)
        self.ends: defaultdict[str, list[str]] = defaultdict(list)
        self.outcomes: defaultdict[str, list[str]] = defaultdict(list)
        self.not_entered: Counter[str] = Counter()
        for row in timeline:
            self._take(row)
        self.pending = Counter((run["journey"], run["key"]) for run in profile["journeys"] if run["state"] == "active")
        self.timers = Counter(timer["journey"] for timer in profile["timers"])
        self.open_sends: list[str] = [send["send"] for send in profile["pendingSends"]]
        self.caps: list[dict[str, Any]] = profile["caps"]

    def _take(self, row: dict[str, Any]) -> None:
        kind, outcome = row["kind"], row.get("outcome", "")
        if kind == "journey" and outcome == "entered":
            self.entered[row["messageId"]].append(row["run"])
        elif outcome == "not_entered":
            self.not_entered[row["messageId"]] += 1
        elif kind == "send" and outcome in FINAL:
            self.ends[row["run"]].append(outcome)
            send = row.get("detail", {}).get("send")  # a send that was parked before its step has no id yet
            if send is not None:
                self.outcomes[send].append(outcome)


def balance(ledger: Ledger, found: Found) -> list[str]:
    """Every imbalance, in words; empty where the books balance to zero."""
    pages = {name: Page(found.profiles[name], found.timelines[name]) for name in found.profiles}
    told = ledger.by_customer()
    imbalances = list(ledger.faults)
    imbalances += [f"{name}: acknowledged, and nobody knows them" for name in told if name not in pages]
    for check in _CHECKS:
        lines = check(ledger, found, pages)
        imbalances += islice(lines, _NAMED_MAX)
        more = sum(1 for _ in lines)
        if more:
            imbalances.append(f"… and {more} more of this kind")
    return imbalances


def events(ledger: Ledger, found: Found, pages: dict[str, Page]) -> Check:
    """Nothing acknowledged is lost, nothing is there twice, nothing is invented."""
    told = ledger.by_customer()
    for name, page in pages.items():
        for message_id in told.get(name, {}):
            times = page.events[message_id]
            if message_id in ledger.acknowledged and times == 0:
                yield f"{name}: event {message_id} was acknowledged and is lost"
            if times > 1:
                yield f"{name}: event {message_id} is there {times} times"
        for message_id in page.events.keys() - told.get(name, {}).keys():
            yield f"{name}: event {message_id or 'without an id'} was never told"
    for message_id in ledger.events.keys() - ledger.acknowledged.keys():
        yield f"event {message_id} was never acknowledged, however often it was sent"


def intents(ledger: Ledger, found: Found, pages: dict[str, Page]) -> Check:
    """Every send that an event intends has exactly one fate: a named outcome, a pending timer, or a run that was not
    entered."""
    told = ledger.by_customer()
    for name, page in pages.items():
        for message_id, event in _triggers(told.get(name, {})):
            runs = page.entered[message_id]
            fates = [outcome for run in runs for outcome in page.ends[run]]
            fates += ["pending"] * page.pending[JOURNEYS[event.name].id, event.key]
            fates += ["not entered"] * page.not_entered[message_id]
            if len(runs) > 1:
                yield f"{name}: {event.name} {event.key} started {len(runs)} runs"
            if len(fates) != 1:
                yield f"{name}: {event.name} {event.key} has {len(fates)} fates ({', '.join(fates) or 'silently none'})"
        for send, outcomes in page.outcomes.items():
            if len(outcomes) != 1:
                yield f"{name}: send {send} ended {len(outcomes)} times: {', '.join(outcomes)}"
        for send in page.open_sends:
            yield f"{name}: send {send} is still open"


def mails(ledger: Ledger, found: Found, pages: dict[str, Page]) -> Check:
    """`sent` has exactly one mail, `unknown` none or one, anything else none; and a mail answers one event, once."""
    arrived = Counter(mail.send for mail in found.mails)
    answered = Counter((mail.customer, mail.action, mail.key) for mail in found.mails)
    known = {send: (name, outcomes[0]) for name, page in pages.items() for send, outcomes in page.outcomes.items()}
    for send, (name, outcome) in known.items():
        if arrived[send] not in _MAILS_OF.get(outcome, (0,)):
            yield f"{name}: send {send} is {outcome} and has {arrived[send]} mails"
    for send in arrived.keys() - known.keys():
        yield f"send {send} has {arrived[send]} mails and no outcome in any timeline"
    for (name, action, key), times in answered.items():
        if times > 1:
            yield f"{name}: {times} mails of {action} for {key}"
    triggers = _mailed_triggers(ledger)
    for mail in found.mails:
        event = triggers.get((mail.customer, mail.action, mail.key))
        if event is None:
            yield f"{mail.customer}: a mail of {mail.action} for {mail.key}, which nobody asked for"
        elif mail.arrived_ms < event.at_ms + JOURNEYS[event.name].wait_ms:
            yield f"{mail.customer}: the mail of {mail.action} for {mail.key} came before its time"


def timers(ledger: Ledger, found: Found, pages: dict[str, Page]) -> Check:
    """Exactly those runs are pending whose long wait no later purchase has ended."""
    told = ledger.by_customer()
    total = 0
    for name, page in pages.items():
        wanted = Counter(_must_be_pending(told.get(name, {})))
        total += wanted.total()
        for journey, key in wanted - page.pending:
            yield f"{name}: the run {journey} {key} is not pending, and must be"
        for journey, key in page.pending - wanted:
            yield f"{name}: the run {journey} {key} is pending, and must not be"
        runs = Counter(journey for journey, _ in page.pending.elements())
        if page.timers != runs:
            yield f"{name}: timers {dict(page.timers)} for runs {dict(runs)}"
    if found.status and found.status["timers"]["pending"] != total:
        yield f"{found.status['timers']['pending']} timers are pending in all, and {total} must be"


def opt_outs(ledger: Ledger, found: Found, pages: dict[str, Page]) -> Check:
    """After an acknowledged opt-out nothing leaves but a mail whose hand-over had begun."""
    for mail in found.mails:
        out_ms = ledger.opt_outs.get(mail.customer)
        if out_ms is not None and _left_after(mail, out_ms):
            yield f"{mail.customer}: a mail of {mail.action} for {mail.key} left after the opt-out"


def purchases(ledger: Ledger, found: Found, pages: dict[str, Page]) -> Check:
    """After an acknowledged purchase no promotional run that began before it mails any more."""
    triggers = _mailed_triggers(ledger)
    bought: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for message_id, event in ledger.events.items():
        if event.name == PURCHASE and message_id in ledger.acknowledged:
            bought[event.customer].append((event.at_ms, ledger.acknowledged[message_id]))
    for mail in found.mails:
        trigger = triggers.get((mail.customer, mail.action, mail.key))
        if trigger is None or not JOURNEYS[trigger.name].is_promotional:
            continue
        if any(trigger.at_ms < at_ms and _left_after(mail, known_ms) for at_ms, known_ms in bought[mail.customer]):
            yield f"{mail.customer}: a mail of {mail.action} for {mail.key} left after the purchase that ended it"


def caps(ledger: Ledger, found: Found, pages: dict[str, Page]) -> Check:
    """No customer got more mails of an action than its cap allows; no cap says that it holds more than its limit."""
    for (name, action), times in Counter((mail.customer, mail.action) for mail in found.mails).items():
        if times > CAPS.get(action, times):
            yield f"{name}: {times} mails of {action}, and the cap is {CAPS[action]}"
    for name, page in pages.items():
        for cap in page.caps:
            if cap["used"] + cap["reserved"] > cap["limit"]:
                yield f"{name}: cap {cap['cap']} holds {cap['used']} + {cap['reserved']} of {cap['limit']}"


def decisions(ledger: Ledger, found: Found, pages: dict[str, Page]) -> Check:
    """A request that is asked again gets the answer that it got."""
    for request_id, decision in found.decisions.items():
        if decision != ledger.decisions[request_id]:
            yield f"decision {request_id} was {ledger.decisions[request_id]} and is {decision}"


def counts(ledger: Ledger, found: Found, pages: dict[str, Page]) -> Check:
    """The engine's own numbers say what its timelines say."""
    if not found.status:
        return
    there = sum(page.events.total() for page in pages.values())
    accepted = found.status["events"]["accepted"]
    if accepted != there:
        yield f"the engine counts {accepted} events, its timelines have {there}"
    ends = Counter(outcome for page in pages.values() for outcomes in page.ends.values() for outcome in outcomes)
    for outcome in sorted(FINAL):
        counted = found.status["sends"].get(outcome, 0)
        if counted != ends[outcome]:
            yield f"the engine counts {counted} sends that are {outcome}, its timelines have {ends[outcome]}"
    for what, waiting in (
        ("sends", found.status["sends"]["waiting"]),
        ("messages", found.status["messages"]["pending"]),
    ):
        if waiting:
            yield f"{waiting} {what} still wait"


_CHECKS: Final[tuple[Callable[[Ledger, Found, dict[str, Page]], Check], ...]] = (
    events,
    intents,
    mails,
    timers,
    opt_outs,
    purchases,
    caps,
    decisions,
    counts,
)
_MAILS_OF: Final = {"sent": (1,), "unknown": (0, 1)}


def pending_timers(ledger: Ledger) -> int:
    """How many timers must be pending when everything short is done."""
    return sum(1 for told in ledger.by_customer().values() for _ in _must_be_pending(told))


def _triggers(told: dict[str, Told]) -> Iterator[tuple[str, Told]]:
    return ((message_id, event) for message_id, event in told.items() if event.name in JOURNEYS)


def _mailed_triggers(ledger: Ledger) -> dict[tuple[str, str, str], Told]:
    """The triggers of mails by the facts in a mail: customer, action, key."""
    return {
        (event.customer, JOURNEYS[event.name].action, event.key): event
        for event in ledger.events.values()
        if event.name in JOURNEYS
    }


def _must_be_pending(told: dict[str, Told]) -> Iterator[tuple[str, str]]:
    """(journey, key) of each run whose timer lies hours ahead."""
    last_purchase_ms = max((event.at_ms for event in told.values() if event.name == PURCHASE), default=0)
    for _, event in _triggers(told):
        journey = JOURNEYS[event.name]
        is_ended = journey.is_promotional and event.at_ms < last_purchase_ms
        if journey.outlasts_the_run and not is_ended:
            yield journey.id, event.key


def _left_after(mail: Mail, instant_ms: int) -> bool:
    """Whether a mail's hand-over began after an instant: by its Date, which knows seconds only, or because it arrived
    too late for one that began before."""
    return mail.authorised_s * 1000 > instant_ms or mail.arrived_ms > instant_ms + HAND_OVER_MS
