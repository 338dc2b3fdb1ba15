"""Money is an integer in minor units of its ISO 4217 currency; decimals are converted here."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from babel.core import get_global

# ISO 4217, list one: the currencies whose minor unit is not a hundredth.
_EXPONENTS: Final = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}


def names() -> frozenset[str]:
    """The codes of the currencies that there are, and were."""
    return frozenset(get_global("all_currencies"))


def exponent(currency: str) -> int:
    """How many decimals the currency has."""
    return next((exponent for exponent, those in _EXPONENTS.items() if currency in those.split()), 2)


def minor_units(amount: int | float, currency: str) -> int | None:
    """`amount` as it was written, in minor units; None when it has more decimals than the currency."""
    scaled = Decimal(str(amount)).scaleb(exponent(currency))
    return int(scaled) if scaled == scaled.to_integral_value() else None
