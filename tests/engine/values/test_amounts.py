"""What shops send as a price, and what is read of it."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.values import amounts


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        (19.9, "19.9"),
        (19, "19"),
        (0, "0"),
        (-5, "-5"),
        (Decimal("19.90"), "19.90"),
        ("19.90", "19.90"),
        ("19.9000", "19.9000"),
        ("1.299", "1.299"),  # a machine's
        ("1E+2", "100"),
        ("19,90", "19.90"),
        ("19,9", "19.9"),
        ("1,299", "1299"),
        ("0,299", "0.299"),
        ("1.299,00", "1299.00"),
        ("1,299.00", "1299.00"),
        ("1.299.000", "1299000"),
        ("1,23,456", "123456"),
        ("12 345 678,9", "12345678.9"),
        ("5 pcs", "5"),
        ("1,00,000.50", "100000.50"),
        ("1 299,00", "1299.00"),
        ("1\u202f299,00\u00a0€", "1299.00"),
        ("1'299.00", "1299.00"),
        ("€ 19.90", "19.90"),
        ("19.90 EUR", "19.90"),
        ("EUR19.90", "19.90"),
        ("$1,299", "1299"),
        ("1.299 €", "1299"),  # a person's
        ("-19,90 €", "-19.90"),
        ("€-19.90", "-19.90"),
        ("−19,90", "-19.90"),
        (" 19.90\n", "19.90"),
        (".5", ".5"),
        ("5.", "5"),
        ("CHF 5.–", "5"),
        ("5,-", "5"),
        ("5,– €", "5"),
        ("19.90-", "-19.90"),
        ({"amount": "19.90", "currency": "EUR"}, "19.90"),
        ({"value": 19.9, "currency_code": "usd"}, "19.9"),
    ],
)
def test_an_amount_is_read_as_it_was_meant(sent, meant):
    assert amounts.number(sent) == Decimal(meant)


@pytest.mark.parametrize(
    "sent",
    [
        None, "", " ", "n/a", "free", "undefined", True, False, float("nan"), float("inf"), "NaN", "Infinity", "1e400",
        "1e999999999", 10**15, -(10**400), "9" * 61, [], [19.9], {}, {"amount": {"amount": 1}}, {"amount": None},
        "19.90 or 24.90", "19.90-24.90", "1.2.3,4,5", "12:30", "2026-03-01", "€", "--5", "EUR 5 USD", "five", "٣",
        b"19.90", "1/2", "<b>5</b>", "1.2.3", "12.34.56", "192.168.0.1", "01.03.2026", "12.34,56", "12 34 56", "2 Mio",
        "1.5 k", "3 Mrd.", "1,2,3",
    ],
)  # fmt: skip
def test_what_says_no_number_is_none(sent):
    assert amounts.number(sent) is None


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ("19.90 EUR", "EUR"),
        ("eur 5", "EUR"),
        ("€ 5", "EUR"),
        ("5 zł", "PLN"),
        ("$5", "USD"),
        ("US$5", "USD"),
        ({"amount": 5, "currency": "gbp"}, "GBP"),
        ({"amount": "5 €"}, "EUR"),
    ],
)
def test_a_currency_that_is_written_beside_an_amount_is_read_too(sent, said):
    assert amounts.currencies(sent)[0] == said


@given(st.decimals("-999999999.99", "999999999.99", places=2), st.sampled_from((".,", ",.", ", ", ".'")))
def test_every_amount_is_read_back_from_the_way_in_which_a_country_writes_it(amount, marks):
    decimal, group = marks
    text = f"{amount:,.2f}".replace(",", "G").replace(".", decimal).replace("G", group)
    assert amounts.number(f"{text} €") == amount


@given(st.none() | st.booleans() | st.text() | st.floats() | st.text("0123456789.,-€ eE'"))
def test_whatever_is_sent_it_is_a_number_or_none(sent):
    found = amounts.number(sent)
    assert found is None or abs(found) < 10**15
    assert all(isinstance(code, str) for code in amounts.currencies(sent))


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        *(("A$ 5", "AUD"), ("C$19.90", "CAD"), ("HK$ 100", "HKD"), ("NT$100", "TWD"), ("S$5", "SGD"), ("RM 5", "MYR")),
        *(("Rs 500", "INR"), ("Rs. 500", "INR"), ("Rs.500", "INR"), ("500 Ft", "HUF"), ("19 lei", "RON")),
        *(("5 kr", "SEK"), ("5 EUX", ""), ("5 pcs", ""), ("X$ 5", ""), ("5 XXX", "")),
        ({"amount": 5, "currency": "Dollar"}, ""),
        ({"amount": "€5", "currency": "Dollar"}, ""),
        ({"amount": "€5", "currency": " "}, "EUR"),
    ],
)  # fmt: skip
def test_a_unit_that_is_no_currency_is_taken_for_none(sent, code):
    assert amounts.number(sent) is not None and amounts.currencies(sent)[0] == code
