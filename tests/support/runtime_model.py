"""A model of the engine, as simple as possible: lists in memory, one customer after the other, no crash.

It knows the small shop of `tests/actors/shard/test_runtime_model.py` and nothing of how the engine is built. All
moments are multiples of half a minute, so a send that is decided before a moment has left by then (a hand-over takes
ten seconds at most).
"""

from __future__ import annotations

from dataclasses import dataclass, field

HOUR = 3_600_000
DAY = 24 * HOUR
HELD_MS = 30 * 60_000
OFFERS_A_DAY = 2


@dataclass
class Shown:
    """An offer that was given to a front end."""

    at_ms: int
    is_seen: bool = False
    is_given_back: bool = False

    def counts(self, now_ms: int) -> bool:
        """Whether it holds a place under the cap."""
        is_held = self.is_seen or now_ms < self.at_ms + HELD_MS
        return self.at_ms > now_ms - DAY and is_held and not self.is_given_back


@dataclass
class Customer:
    """All facts about one person."""

    events: list[tuple[int, str, str]] = field(default_factory=list)  # (time, name, message id)
    may_mail: bool = False
    consent_ms: int = -1
    due_ms: int = 0  # of the reminder; 0 where none is pending
    leaving_ms: int = 0  # when the mail was decided that has not left yet; 0 where there is none
    sent: int = 0
    withdrawn: int = 0
    held: int = 0
    shown: list[Shown] = field(default_factory=list)


class Shop:
    """The shop of the model. Two devices belong to two people for good. An anonymous user of a device is its owner,
    once the owner is known."""

    def __init__(self, owners: dict[str, str], now_ms: int) -> None:
        self._owners, self._now_ms = owners, now_ms
        self.customers: dict[str, Customer] = {}
        self.linked: set[str] = set()
        self._seen: set[str] = set()
        self._staged: list[tuple[str, str, int, str, str]] = []

    def who(self, user: str, device: str) -> str:
        """The name by which the model knows a customer."""
        return user or (self._owners[device] if device in self.linked else device)

    def stage(self, user: str, device: str, at_ms: int, name: str, message: str) -> None:
        """An event that waits for its time, which is not before the last moment."""
        self._staged.append((user, device, at_ms, name, message))

    def advance(self, until_ms: int) -> None:
        """Let everything happen up to this moment and at it."""
        for at_ms in range(self._now_ms, until_ms + 1, 30_000):
            for customer in self.customers.values():
                self._leave(customer, at_ms)
            for user, device, _, name, message in [event for event in self._staged if event[2] == at_ms]:
                self._happen(user, device, at_ms, name, message)
            for customer in self.customers.values():
                self._remind(customer, at_ms)
        self._staged.clear()
        self._now_ms = until_ms

    def offer(self, user: str, now_ms: int) -> Shown | None:
        """The offer that is shown; one that is held already is shown again."""
        customer = self.customers.setdefault(user, Customer())
        counting = [shown for shown in customer.shown if shown.counts(now_ms)]
        held = next((shown for shown in counting if now_ms < shown.at_ms + HELD_MS), None)
        if held is not None or len(counting) >= OFFERS_A_DAY:
            return held
        customer.shown.append(Shown(now_ms))
        return customer.shown[-1]

    def _happen(self, user: str, device: str, at_ms: int, name: str, message: str) -> None:
        if message in self._seen:
            return
        self._seen.add(message)
        if user and device and device not in self.linked:
            self.linked.add(device)
            mine = self.customers.setdefault(user, Customer())
            mine.events += self.customers.pop(device, Customer()).events
        customer = self.customers.setdefault(self.who(user, device), Customer())
        customer.events.append((at_ms, "Consent Updated" if name in ("Yes", "No") else name, message))
        if name in ("Yes", "No"):
            self._consent(customer, at_ms, name == "Yes")
        elif name == "Order Completed":
            customer.withdrawn += customer.due_ms > 0  # what a journey would have sent
            customer.due_ms = 0
            self._withdraw(customer)
        elif name == "Product Added":
            customer.due_ms = at_ms + HOUR

    def _consent(self, customer: Customer, at_ms: int, says: bool) -> None:
        if (at_ms, not says) >= (customer.consent_ms, not customer.may_mail):
            customer.may_mail, customer.consent_ms = says, at_ms
        if not customer.may_mail:
            self._withdraw(customer)

    def _withdraw(self, customer: Customer) -> None:
        customer.withdrawn += customer.leaving_ms > 0
        customer.leaving_ms = 0

    def _leave(self, customer: Customer, now_ms: int) -> None:
        if 0 < customer.leaving_ms < now_ms:
            customer.sent += 1
            customer.leaving_ms = 0

    def _remind(self, customer: Customer, now_ms: int) -> None:
        if 0 < customer.due_ms <= now_ms:
            customer.due_ms = 0
            if customer.may_mail:
                customer.leaving_ms = now_ms
            else:
                customer.held += 1
