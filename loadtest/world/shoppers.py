"""The shoppers: invented people with devices, habits and a hidden answer to "would a reminder make you buy?".

A customer's number is also the rank of their activity: customer 0 is the busiest, the rest follow Zipf's law.
The hidden answer (`Intent`) shapes what a shopper does without messages; it stands in the truth file alone.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

from loadtest.world.shop import CATEGORIES, COUNTRIES, Country

# Zipf-Mandelbrot: activity of rank r goes as (r + _FLATTEN) ** -_SLOPE. Not steeper, or one customer would be the shop.
_SLOPE = 0.7
_FLATTEN = 10
_EXTRA_VISITS_PER_DAY = 0.1  # a customer's mean, beyond the first visit
_HOT_VISITS_PER_DAY = 2.5
_PASSERS_BY = 0.35  # strangers who never identify, per customer
_KNOWN_VISITORS = 0.7

_FIRST = (
    "Ada", "Zoë", "Jürgen", "Mila", "Noah", "Inés", "René", "Lena", "Paul", "Chloé", "Emil", "Greta", "Hugo", "Ida",
    "Jonas", "Käthe", "Luca", "Maja", "Nils", "Olga", "Pía", "Rosa", "Timo", "Ulla", "Viktor", "Wanda", "Yara",
    "Anton", "Bruno", "Clara",
)  # fmt: skip
_LAST = (
    "Abel", "Bauer", "Costa", "Dubois", "Engel", "Ferrari", "Gómez", "Huber", "Ivens", "Jansen", "Keller", "Laurent",
    "Müller", "Nieminen", "Otto", "Pereira", "Quint", "Rossi", "Santos", "Törnqvist", "Ulrich", "Vogel", "Weber",
    "Xander", "Young", "Zimmer", "Arnold", "Brandt", "Conti", "Delgado", "Esposito", "Fischer", "Graf",
)  # fmt: skip

# 555-01xx is set aside for fiction in every North American area code, so no message can reach a real telephone.
_AREA_CODES = (
    201, 202, 203, 205, 206, 207, 208, 209, 210, 212, 213, 214, 215, 216, 217, 218, 219, 224, 225, 228, 229, 231, 234,
    239, 240, 248, 251, 252, 253, 254, 256, 260, 262, 267, 269, 270, 276, 281, 301, 302,
)  # fmt: skip
_ONE_IN_HAS_PHONE = 3
_ONE_IN_SHARES_DEVICE = 100
_ONE_IN_SHARES_MAILBOX = 200

_DEVICE_SETS = (
    (("laptop",), 18),
    (("phone",), 14),
    (("laptop", "phone"), 30),
    (("phone", "app"), 14),
    (("laptop", "app"), 10),
    (("laptop", "phone", "tablet"), 8),
    (("app", "laptop", "phone"), 6),
)

# share of customers, probability of buying an abandoned cart if reminded, and if not
_TEMPERS = ((30, 0.55, 0.15), (25, 0.78, 0.74), (35, 0.06, 0.04), (10, 0.25, 0.45))


@dataclass(frozen=True, slots=True)
class Device:
    """A browser or an app: one anonymous id. `kind` is laptop, phone, tablet or app."""

    anonymous_id: str
    kind: str

    @property
    def channel(self) -> str:
        """The channel on which this kind of device is used."""
        return "app" if self.kind == "app" else "web"


@dataclass(frozen=True, slots=True)
class Intent:
    """Whether a first abandoned cart is bought within 30 h, with a message and without. One draw decides both, so that
    only the message makes a difference."""

    buys_if_messaged_probability: float
    buys_if_not_probability: float
    draw: float

    @property
    def buys_if_messaged(self) -> bool:
        """Whether a message would make this shopper buy."""
        return self.draw < self.buys_if_messaged_probability

    @property
    def buys_if_not(self) -> bool:
        """Whether this shopper buys without one."""
        return self.draw < self.buys_if_not_probability


@dataclass(frozen=True, slots=True)
class Shopper:
    """A customer, or a passer-by who never has an account (`user_id` is empty), and tells who they are to order as a
    guest at most."""

    key: str
    user_id: str
    name: str
    email: str
    phone: str
    loyalty_id: str
    country: Country
    devices: tuple[Device, ...]
    favourite: str
    visits: int
    spent_before_minor: int
    intent: Intent


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody for whom a load driver speaks; `user_id` and `email` are empty for a stranger."""

    anonymous_id: str
    user_id: str = ""
    email: str = ""


def shoppers(*, customers: int, days: int, seed: int) -> Iterator[Shopper]:
    """All customers by number, then the passers-by."""
    previous: Shopper | None = None
    for number in range(customers):
        shopper = _customer(number, customers, days, seed)
        if previous and number % _ONE_IN_SHARES_DEVICE == 7:
            shopper = replace(shopper, devices=(*shopper.devices, previous.devices[0]))
        yield shopper
        previous = shopper
    for number in range(int(customers * _PASSERS_BY)):
        yield _passer_by(number, seed)


def sample_visitor(rng: Random, population: int) -> Visitor:
    """A visitor of the shop with `population` customers: the busy ones come often, three in ten are strangers."""
    rank = min(int(_inverse_share(rng.random(), population)), population - 1)
    kind = rng.choice(("laptop", "phone"))
    if rng.random() < _KNOWN_VISITORS:
        return Visitor(f"anon-{_user_id(rank)}-{kind}", _user_id(rank), _email(rank))
    return Visitor(f"anon-{_passer_by_key(rank)}-{kind}")


def _customer(number: int, customers: int, days: int, seed: int) -> Shopper:
    rng = Random(f"{seed}/customer/{number}")
    user_id = _user_id(number)
    kinds = rng.choices([kinds for kinds, _ in _DEVICE_SETS], [weight for _, weight in _DEVICE_SETS])[0]
    return Shopper(
        key=user_id,
        user_id=user_id,
        name=" ".join(_names(number)),
        email=_email(number),
        phone=_phone(number),
        loyalty_id=f"L{number:07d}" if rng.random() < 0.4 else "",
        country=_country(rng),
        devices=tuple(Device(f"anon-{user_id}-{kind}", kind) for kind in kinds),
        favourite=rng.choice(CATEGORIES),
        visits=_visits(rng, number, customers, days),
        spent_before_minor=int(rng.lognormvariate(9.5, 1.2)) if rng.random() < 0.45 else 0,
        intent=_intent(rng),
    )


def _passer_by(number: int, seed: int) -> Shopper:
    rng = Random(f"{seed}/passer-by/{number}")
    key, name = _passer_by_key(number), " ".join(_names(number * 11 + 5))
    kind = rng.choice(("laptop", "phone"))
    return Shopper(
        key=key,
        user_id="",
        name=name,
        email=f"guest.{number}@shop.example",
        phone="",
        loyalty_id="",
        country=_country(rng),
        devices=(Device(f"anon-{key}-{kind}", kind),),
        favourite=rng.choice(CATEGORIES),
        visits=rng.choice((1, 1, 1, 2)),
        spent_before_minor=0,
        intent=Intent(0.0, 0.0, rng.random()),
    )


def _visits(rng: Random, rank: int, customers: int, days: int) -> int:
    if rank == 0:
        return max(1, round(_HOT_VISITS_PER_DAY * days))
    share = _cumulative(rank + 1, customers) - _cumulative(rank, customers)
    # The random fraction rounds without bias: rare visitors keep their right mean.
    return 1 + int(share * customers * _EXTRA_VISITS_PER_DAY * days + rng.random())


def _intent(rng: Random) -> Intent:
    _, messaged, unmessaged = rng.choices(_TEMPERS, [share for share, _, _ in _TEMPERS])[0]
    return Intent(_near(rng, messaged), _near(rng, unmessaged), rng.random())


def _near(rng: Random, probability: float) -> float:
    return round(min(0.98, max(0.01, rng.gauss(probability, 0.04))), 4)


def _country(rng: Random) -> Country:
    return rng.choices(COUNTRIES, [country.weight for country in COUNTRIES])[0]


def _cumulative(rank: int, population: int) -> float:
    """The share of all activity that belongs to the ranks below `rank`."""
    low, high = _rise(0), _rise(population)
    return (_rise(rank) - low) / (high - low)


def _inverse_share(share: float, population: int) -> float:
    low, high = _rise(0), _rise(population)
    return math.pow(low + share * (high - low), 1 / (1 - _SLOPE)) - _FLATTEN


def _rise(rank: int) -> float:
    """The integral of the activity up to `rank`, without its constant factor."""
    return math.pow(rank + _FLATTEN, 1 - _SLOPE)


def _user_id(number: int) -> str:
    return f"u{number:06d}"


def _passer_by_key(number: int) -> str:
    return f"p{number:06d}"


def _names(number: int) -> tuple[str, str]:
    return _FIRST[number % len(_FIRST)], _LAST[(number * 7 + 3) % len(_LAST)]


def _email(number: int) -> str:
    """A customer's address. A few have that of the customer before them: one family, one mailbox."""
    number -= number % _ONE_IN_SHARES_MAILBOX == _ONE_IN_SHARES_MAILBOX - 1
    plain = ".".join(_names(number)).lower()
    letters = unicodedata.normalize("NFKD", plain).encode("ascii", "ignore").decode()
    return f"{letters}.{number}@shop.example"


def _phone(number: int) -> str:
    """A fictitious number, unlike any other customer's; empty for most, and once the fictitious ones have run out."""
    place, rest = divmod(number, _ONE_IN_HAS_PHONE)
    if rest or place >= len(_AREA_CODES) * 100:
        return ""
    return f"+1{_AREA_CODES[place // 100]}55501{place % 100:02d}"
