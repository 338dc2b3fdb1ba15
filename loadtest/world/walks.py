"""The walk of one shopper through the days: visits in the evening, abandoned carts and their fates, store, support.

A walk is a queue of plans in order of time. A plan may add later plans (an abandoned cart its return, an order its
refund), so every cause precedes its effect. Nothing here sends messages: this is the world without Segue.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from loadtest.world.shop import CATEGORIES, PRODUCTS, SHELF, Product
from loadtest.world.shoppers import Device, Shopper
from loadtest.world.visits import Cart, Diary, Draft, Line, Visit, at_support, buy_in_store

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

# Relative traffic per local hour: quiet nights, a bump at lunch, the peak after dinner.
_HOURS = (3, 2, 1, 1, 1, 2, 4, 7, 9, 10, 11, 13, 15, 13, 11, 11, 12, 15, 20, 27, 33, 31, 20, 9)
_STORE_HOURS = range(9, 20)
_BROWSING_MARGIN_MS = 2 * HOUR_MS  # a visit planned before the end can also end before it

_FILLS_CART = 0.44
_IDENTIFIES_EARLY = 0.3
_SAVES_CART = 0.6  # an anonymous visitor identifies to keep what is in the cart
_CHECKS_OUT, _CLEARS = 0.36, 0.08  # the rest of the carts is abandoned
_STOPS_AT_CHECKOUT = 0.12
_REFUNDED = 0.04
_OPTS_OUT = 0.08
_OPENS_TICKET = 0.06
_VISITS_STORE = 0.22


@dataclass(frozen=True, slots=True)
class Calendar:
    """The days that the world covers: from `start_ms` (inclusive) to `end_ms` (exclusive)."""

    start_ms: int
    days: int

    def __post_init__(self) -> None:
        if self.days < 1:
            raise ValueError(f"a world has at least one day, not {self.days}")

    @property
    def end_ms(self) -> int:
        """When the world's last day is over."""
        return self.start_ms + self.days * DAY_MS

    def instant(self, rng: Random, zone: str) -> int:
        """A time to go shopping, by the customer's own clock."""
        first = datetime.fromtimestamp(self.start_ms / 1000, UTC)
        at_ms = -1
        # Local days overlap the ends of the UTC window; draw again what falls outside.
        while not self.start_ms <= at_ms < self.end_ms - _BROWSING_MARGIN_MS:
            day = first + timedelta(days=rng.randrange(self.days + 1))
            hour = rng.choices(range(24), _HOURS)[0]
            local = datetime(day.year, day.month, day.day, hour, tzinfo=_zone(zone))
            at_ms = round(local.timestamp()) * 1000 + rng.randrange(HOUR_MS)
        return at_ms


def walk(shopper: Shopper, calendar: Calendar, *, seed: int) -> list[Draft]:
    """Everything the shopper does within the calendar, in order of time."""
    return _Walk(shopper, calendar, seed).run()


@dataclass(order=True, slots=True)
class _Plan:
    at_ms: int
    number: int
    act: Callable[[int], None] = field(compare=False)


class _Walk:
    def __init__(self, shopper: Shopper, calendar: Calendar, seed: int) -> None:
        self.shopper, self.calendar = shopper, calendar
        self.rng = Random(f"{seed}/walk/{shopper.key}")
        self.diary = Diary(shopper, seed, self.rng, spent_minor=shopper.spent_before_minor)
        self.plans: list[_Plan] = []
        self.planned = 0
        self.busy_until_ms = calendar.start_ms
        self.visits_left = shopper.visits
        self.device_weights = (6, 3, 2, 1)[: len(shopper.devices)]
        self.abandoned_before = False

    def run(self) -> list[Draft]:
        for _ in range(self.shopper.visits):
            self.plan(self.calendar.instant(self.rng, self.shopper.country.zone), self.browse)
        while self.plans:
            plan = heapq.heappop(self.plans)
            stranger = self.diary.signed_up_at_ms is None
            # One person is at one place at a time, so a plan that would overlap waits.
            plan.act(max(plan.at_ms, self.busy_until_ms))
            if stranger and self.diary.signed_up_at_ms is not None:
                self.plan_as_customer(self.diary.signed_up_at_ms)
        return [draft for draft in self.diary.drafts if draft.at_ms < self.calendar.end_ms]

    def plan(self, at_ms: int, act: Callable[[int], None]) -> None:
        if at_ms < self.calendar.end_ms:
            self.planned += 1
            heapq.heappush(self.plans, _Plan(at_ms, self.planned, act))

    def happens(self, probability: float) -> bool:
        return self.rng.random() < probability

    # Visits

    def browse(self, at_ms: int) -> None:
        self.visits_left -= 1
        visit = Visit(self.diary, self.rng.choices(self.shopper.devices, self.device_weights)[0], at_ms)
        visit.page("Home", "/")
        if self.happens(_IDENTIFIES_EARLY):
            self.identify(visit)
        seen = self.look_around(visit)
        if self.happens(_FILLS_CART):
            self.fill_cart(visit, seen)
        # Every customer is known in the end; until then they may stay anonymous for many visits.
        if not self.visits_left and self.diary.signed_up_at_ms is None:
            self.identify(visit)
        self.leave(visit)

    def look_around(self, visit: Visit) -> list[Product]:
        category = self.shopper.favourite if self.happens(0.65) else self.rng.choice(CATEGORIES)
        visit.page(category.capitalize(), f"/{category}")
        seen = [self.pick(category) for _ in range(self.rng.choice((1, 2, 2, 3, 3, 4, 6)))]
        for product in seen:
            visit.view(product)
        return seen

    def pick(self, category: str) -> Product:
        """A product of a shelf. The first ones sell best."""
        shelf = SHELF[category]
        return shelf[int(len(shelf) * self.rng.random() ** 1.7)]

    def fill_cart(self, visit: Visit, seen: list[Product]) -> None:
        cart = self.diary.new_cart(visit.device)
        for product in dict.fromkeys(seen[-self.rng.choice((1, 1, 2, 3)) :]):
            visit.add(cart, Line(product, self.rng.choice((1, 1, 1, 1, 2))))
        fate = self.rng.random()
        if fate < _CLEARS:
            visit.clear(cart)
        elif fate < _CLEARS + _CHECKS_OUT and self.shopper.user_id:
            self.check_out(visit, cart)
        else:
            self.abandon(visit, cart)

    def check_out(self, visit: Visit, cart: Cart) -> None:
        visit.page("Cart", "/cart")
        visit.start_checkout(cart)
        if self.happens(_STOPS_AT_CHECKOUT):
            self.abandon(visit, cart)
        else:
            self.after_order(visit.at_ms, visit.buy(cart))

    def identify(self, visit: Visit) -> None:
        if self.shopper.user_id:
            visit.identify()

    def leave(self, visit: Visit) -> None:
        self.busy_until_ms = visit.at_ms + MINUTE_MS

    # Carts left behind

    def abandon(self, visit: Visit, cart: Cart) -> None:
        if not cart.known and self.happens(_SAVES_CART):
            self.identify(visit)
        cart.known = cart.known or visit.known
        if self.will_return():
            self.plan_return(visit.at_ms, cart)

    def will_return(self) -> bool:
        """Whether an abandoned cart is bought: the first one as the truth file says, later ones by the same
        probability."""
        intent, first = self.shopper.intent, not self.abandoned_before
        self.abandoned_before = True
        return intent.buys_if_not if first else self.happens(intent.buys_if_not_probability)

    def plan_return(self, left_at_ms: int, cart: Cart) -> None:
        if self.happens(0.2):
            at_ms = left_at_ms + self.rng.randint(6 * MINUTE_MS, 50 * MINUTE_MS)
            if cart.known and self.shopper.loyalty_id and self.store_is_open(at_ms) and self.happens(0.5):
                return self.plan(at_ms, lambda now_ms: self.buy_cart_in_store(now_ms, cart))
        else:
            at_ms = left_at_ms + self.rng.randint(HOUR_MS + MINUTE_MS, 30 * HOUR_MS)
            if cart.known and self.happens(0.4) and self.store_is_open(at_ms):
                return self.plan(at_ms, lambda now_ms: self.buy_cart_in_store(now_ms, cart))
        device = self.device_to_return_to(cart)
        return self.plan(at_ms, lambda now_ms: self.come_back(now_ms, cart, device))

    def device_to_return_to(self, cart: Cart) -> Device:
        """The device on which a cart is bought: often another one, where the shop knows whose cart it is. Otherwise the
        shop could not show the cart there."""
        others = [device for device in self.shopper.devices if device != cart.device]
        return self.rng.choice(others) if cart.known and others and self.happens(0.7) else cart.device

    def come_back(self, at_ms: int, cart: Cart, device: Device) -> None:
        visit = Visit(self.diary, device, at_ms)
        visit.page("Cart", "/cart")
        visit.start_checkout(cart)
        self.after_order(visit.at_ms, visit.buy(cart))
        self.leave(visit)

    def buy_cart_in_store(self, at_ms: int, cart: Cart) -> None:
        self.after_order(at_ms, buy_in_store(self.diary, at_ms, cart.lines))
        self.busy_until_ms = at_ms + 5 * MINUTE_MS

    def store_is_open(self, at_ms: int) -> bool:
        local = datetime.fromtimestamp(at_ms / 1000, _zone(self.shopper.country.zone))
        return local.hour in _STORE_HOURS and local.isoweekday() < 7

    # Beside the carts, once the shop knows the customer

    def plan_as_customer(self, now_ms: int) -> None:
        if self.happens(_VISITS_STORE):
            for _ in range(self.rng.choice((1, 1, 2))):
                self.plan_some_time(now_ms, self.shop_in_store)
        if self.happens(_OPENS_TICKET):
            self.plan_some_time(now_ms, self.open_ticket)
        if self.happens(_OPTS_OUT):
            self.plan_some_time(now_ms, self.opt_out)

    def plan_some_time(self, now_ms: int, act: Callable[[int], None]) -> None:
        self.plan(now_ms + self.rng.randint(HOUR_MS, 20 * DAY_MS), act)

    def shop_in_store(self, at_ms: int) -> None:
        if not self.store_is_open(at_ms):
            return self.plan(at_ms + 3 * HOUR_MS, self.shop_in_store)
        lines = [Line(product, 1) for product in self.rng.sample(PRODUCTS, self.rng.choice((1, 1, 2)))]
        self.after_order(at_ms, buy_in_store(self.diary, at_ms, lines))
        self.busy_until_ms = at_ms + 5 * MINUTE_MS
        return None

    def open_ticket(self, at_ms: int) -> None:
        ticket = {"ticket_id": f"ticket-{self.shopper.key}", "topic": self.rng.choice(("delivery", "size", "payment"))}
        at_support(self.diary, at_ms, "Ticket Opened", ticket)
        if self.happens(0.9):
            self.plan(
                at_ms + self.rng.randint(2 * HOUR_MS, 72 * HOUR_MS),
                lambda now_ms: at_support(self.diary, now_ms, "Ticket Closed", ticket),
            )

    def opt_out(self, at_ms: int) -> None:
        visit = Visit(self.diary, self.shopper.devices[0], at_ms)
        visit.page("Preferences", "/account/preferences")
        visit.identify()
        visit.update_consent("email", False, "preference_centre")
        self.leave(visit)

    def after_order(self, at_ms: int, order: dict[str, Any]) -> None:
        if self.happens(_REFUNDED):
            refund = {name: order[name] for name in ("order_id", "total", "currency", "products")}
            self.plan(
                at_ms + self.rng.randint(DAY_MS, 6 * DAY_MS),
                lambda now_ms: at_support(self.diary, now_ms, "Order Refunded", refund),
            )


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
