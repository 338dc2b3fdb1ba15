"""What a template makes of what is missing, of what a shop sends in its own way, and of names that Python knows too."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.catalog_files import config_files
from actors.delivery.channels.rendering import Renderer
from engine.errors import Refused
from engine.texts.language import NAMES, TemplateLanguage, facts_of
from engine.texts.values import present
from engine.values.absence import is_absent

SHIPPED = Path(__file__).parents[3] / "configs"

NOTHING = [None, "", "  \n", "\u200b", [], {}, "undefined", "null", "NaN", "[object Object]"]


def said(source: str, /, language: str = "en", currency: str = "EUR", timezone: str = "UTC", **values: Any) -> str:
    """What a subject that is written so says."""
    values = {"traits": {}, "event": {}, "action": {}} | values
    values |= {"language": language, "currency": currency, "timezone": timezone}
    return Renderer({"a.html": "x"}).render("a.html", source, values).subject


# -- what is missing


@pytest.mark.parametrize("nothing", NOTHING, ids=repr)
@pytest.mark.parametrize(
    ("source", "reads"),
    [
        ("Welcome, {{ traits.name }}!", "Welcome, !"),
        ("Welcome, {{ traits.name | default('friend') }}", "Welcome, friend"),
        ("Welcome, {{ traits.name | d('friend') }}", "Welcome, friend"),
        ("Welcome{{ ', ' ~ traits.name if traits.name }}", "Welcome"),
        ("Welcome{% if traits.name %}, {{ traits.name }}{% endif %}", "Welcome"),
        ("Welcome{% if traits.name is defined %}, {{ traits.name }}{% endif %}", "Welcome"),
        ("{% if traits.name is none %}nobody{% endif %}", "nobody"),
        ("{% if traits.name is string %}a text{% else %}none{% endif %}", "none"),
        ("{% if traits.name is not none and traits.name is undefined %}x{% else %}y{% endif %}", "y"),
        ("{% if traits.name == none %}nobody{% endif %}", "nobody"),
        ("{% if traits.name != '' %}x{% else %}nobody{% endif %}", "nobody"),
        ("https://shop.example/{{ traits.name }}", "https://shop.example/"),
        ("{{ 'https://shop.example/' ~ traits.name }}", "https://shop.example/"),
        ("{{ 'https://shop.example/' + traits.name }}", "https://shop.example/"),
        ("{{ traits.name.first.letter }}.", "."),
        ("{{ traits['name']['first'] }}.", "."),
        ("{{ traits.name.first | default('friend') }}", "friend"),
        ("{{ traits.name | upper }}{{ traits.name | title }}{{ traits.name | truncate(5) }}.", "."),
        ("{{ traits.name | trim | default('friend') }}", "friend"),
        ("{{ traits.name.strip().upper() }}.", "."),
        ("{{ traits.name | first }}{{ traits.name | last }}{{ traits.name | join(', ') }}.", "."),
        ("{{ traits.name | length }} {{ traits.name | int }} {{ traits.name | count }}", "0 0"),
        ("{% for part in traits.name %}{{ part }}!{% else %}none{% endfor %}", "none"),
        ("{% for key, part in traits.name.items() %}x{% else %}none{% endfor %}", "none"),
        ("{{ traits.name + 1 }}{{ 2 * traits.name }}{{ traits.name / 2 }}{{ -traits.name }}.", "."),
        ("{% if traits.name > 5 or traits.name < 5 or traits.name in ['x'] %}x{% else %}y{% endif %}", "y"),
        ("{% if 'x' in traits.name %}x{% else %}y{% endif %}", "y"),
        ("{{ '%.2f' | format(traits.name) }}{{ traits.name | round(2) }}{{ traits.name | money }}.", "."),
        ("{{ traits.name | date }}{{ traits.name | number }}{{ traits.name | replace('a', 'b') }}.", "."),
        ("{{ [traits.name, 'Ada', traits.name] | join(' ') }}", "Ada"),
        ("{% set name = traits.name or 'friend' %}{{ name }}", "friend"),
        ("{{ traits.name | map(attribute='x') | list | length }}", "0"),
    ],
)
def test_nothing_is_absent_wherever_a_template_meets_it(source, reads, nothing):
    assert said(source, traits={"name": nothing}) == reads
    assert said(source, traits={}) == reads
    assert said(source.replace("traits.name", "traits.a.name"), traits={"a": {"name": nothing, "b": 1}}) == reads


@pytest.mark.parametrize("nothing", NOTHING, ids=repr)
def test_nothing_in_a_list_is_no_part_of_it(nothing):
    listed = {"sizes": [nothing, "M", nothing, "L"], "lines": [nothing, {"name": "Bag", "size": nothing}]}
    assert said("{{ traits.sizes | join(', ') }}", traits=listed) == "M, L"
    assert said("{{ traits.sizes | length }}{{ traits.sizes | first }}{{ traits.sizes[0] }}", traits=listed) == "2MM"
    assert said("{% for l in traits.lines %}{{ l.name }} {{ l.size }};{% endfor %}", traits=listed) == "Bag ;"
    assert said("{{ traits.lines | map(attribute='size') | join('-') }}.", traits=listed) == "."
    assert said("{% for x in traits.all %}x{% endfor %}.", traits={"all": [nothing]}) == "."


def test_zero_and_no_are_values():
    values = {"points": 0, "vip": False}
    assert said("{{ traits.points }} {{ traits.points | default(9) }}", traits=values) == "0 0"
    assert said("{% if traits.vip is defined %}{{ traits.vip }}{% endif %}", traits=values) == "false"


def test_a_name_that_no_data_could_have_refuses_no_message_and_is_found_before():
    source = "{% set x = 1 %}{{ x }}\n{{ trait.name }}"
    source += "{% for p in event.products %}{{ loop.index }}{{ p.name }}{{ prize }}{% endfor %}"
    assert said(source.replace("prize", "trait.name.first()") + ".") == "1 ."
    assert facts_of(source).unknown == ((2, "prize"), (2, "trait"))
    for name in NAMES:
        assert facts_of(f"{{{{ {name} }}}} {{% for i in range(3) %}}{{{{ i }}}}{{% endfor %}}").unknown == ()


# -- a customer's data comes first


@pytest.mark.parametrize(
    "name", ["items", "values", "keys", "copy", "update", "pop", "get", "index", "count", "upper", "format", "real"]
)
def test_data_is_looked_up_as_data_first(name):
    for key in (
        f"event.{name}",
        f"event['{name}']",
        f"event | attr('{name}')",
        f"[event] | map(attribute='{name}') | first",
    ):
        assert said(f"{{{{ {key} }}}}", event={name: "Bag"}) == "Bag"
        assert said(f"{{{{ {key} | default('none') }}}}", event={"other": 1}) == "none"
        assert said(f"{{% for x in {key} %}}{{{{ x.name }}}},{{% endfor %}}", event={name: [{"name": "Bag"}]}) == "Bag,"
    inside = {"list": [1], "text": "abc", "number": 5}
    for part in inside:
        assert said(f"{{{{ event.{part}.{name} }}}}.", event=inside) == "."


def test_a_method_is_one_where_it_is_called_whatever_the_data_has():
    spelt = "{% for size, count in event.sizes.items() | sort %}{{ size }}={{ count }};{% endfor %}"
    assert said(spelt, event={"sizes": {"M": 1, "items": 5}}) == "M=1;items=5;"
    assert said("{{ event.name.upper() }} {{ event.name.split('a')[0] }}", event={"name": "bag"}) == "BAG b"
    assert said("{{ '{:.2f} {}'.format(event.price, event.name) }}", event={"price": 5, "name": "bag"}) == "5.00 bag"
    assert (
        said(
            "{{ event.price.upper() }}{{ event.nosuch() }}{{ event.name.index('x') }}.", event={"price": 5, "name": "b"}
        )
        == "."
    )
    with pytest.raises(Refused, match="SecurityError"):
        said("{{ event.list.append(1) }}", event={"list": [1]})


def test_what_python_would_write_of_data_is_no_text():
    event = {"sizes": ["M", "L"], "vip": True, "deep": {"a": 1}, "n": 2.5}
    assert (
        said("{{ event.sizes }} {{ event.vip }} {{ event.deep }} {{ event.n }} {{ none }}", event=event)
        == "M, L true 2.5"
    )
    assert said("{{ 'a' ~ none ~ event.sizes ~ event.vip }}", event=event) == "aM, Ltrue"


# -- data of an unfit kind


@pytest.mark.parametrize(
    ("source", "reads"),
    [
        ("{{ event.price * event.quantity }}", "39.8"),
        (
            "{{ event.price + 1 }} {{ 30 - event.price | float }} {{ event.quantity / 4 }}",
            "20.9 10.100000000000001 0.5",
        ),
        ("{% if event.price > 10 and event.price <= 19.9 and not event.quantity > 2 %}yes{% endif %}", "yes"),
        ("{% if event.name > 5 %}x{% else %}y{% endif %}", "y"),
        (
            "{{ '%.2f' | format(event.price) }} {{ '%.2f' % event.price }} {{ event.price | round(1) }}",
            "19.90 19.90 19.9",
        ),
        ("{{ '%d' | format(event.name) }}{{ event.name * event.name }}{{ event.name - 1 }}{{ 1 / 0 }}.", "."),
        ("{{ event.number | upper }} {{ event.number | truncate(20) }} {{ event.number | first }}.", "12345 12345 ."),
        ("{% for x in event.number %}{{ x }}{% endfor %} {% for x in event.name %}{{ x }}{% endfor %}", "12345 bag"),
        ("{% for x in event.vip %}x{% endfor %}{{ event.vip | sort }}{{ event.number | sort }}.", "."),
        ("{{ 'No. ' + event.number }} {{ event.number + ' pieces' }}", "No. 12345 12345 pieces"),
        ("{{ event.lines | sum(attribute='price') }}", "24.9"),
        ("{{ event.name * event.quantity }}{{ event.quantity * event.name }}{{ event.lines * event.quantity }}.", "."),
        ("{{ event.number % 7 }} {{ event.order % 7 }}{{ event.name % 7 }}", "4 5"),
        ("{{ '© 2026 %s' % event.name }}", "© 2026 bag"),
        ("{{ '2026: {} {:.2f}'.format(event.name, 5) }}", "2026: bag 5.00"),
        ("{{ event.number | reverse }}{{ event.vip | list }}{{ event.number | list }}.", "."),
        ("{{ event.lines | selectattr('price', 'gt', 5) | map(attribute='price') | join }}", "19.90"),
        ("{{ event.lines | sort(attribute='price') | length }}", "3"),
        (
            "{% for a, b in event.pairs %}{{ a }}={{ b }};{% endfor %}{% set a, b = event.price %}{{ a }}",
            "x=1;y=;z=;19.90",
        ),
        ("{{ '<b>%s' | safe | format('<') }}", "<b>&lt;"),
        ("{{ event.nosuch | tojson }} {{ event.quantity | tojson }}", "null 2"),
    ],
)
def test_data_of_another_kind_than_was_meant_ends_no_message(source, reads):
    lines = [{"price": "19.90"}, {"name": "x"}, {"price": 5}]
    event = {"price": "19.90", "quantity": 2, "name": "bag", "number": 12345, "vip": True, "lines": lines}
    event["order"] = "20240001"
    event["pairs"] = [["x", 1], ["y", None], "z", []]
    assert said(source, event=event) == reads


# -- money, numbers, dates


@pytest.mark.parametrize(
    ("price", "language", "reads"),
    [
        (19.9, "en", "€19.90"),
        ("19.90", "de", "19,90 €"),
        ("1.299,00", "de-DE", "1.299,00 €"),
        ("1,299.00", "fr_FR", "1 299,00 €"),
        ("€ 19.90", "en-GB", "€19.90"),
        ("19.90 EUR", "no such language", "€19.90"),
        ("$19.90", "en", "$19.90"),
        (-5, "en", "-€5.00"),
        (0, "en", "€0.00"),
        (2.675, "en", "€2.68"),
        ({"amount": "19.90", "currency": "GBP"}, "en", "£19.90"),
        *(
            (odd, "en", "")
            for odd in (None, "", "n/a", True, float("nan"), "1e400", 10**400, [], {}, "NaN", [1], "a" * 999)
        ),
    ],
)
def test_money_reads_what_shops_send_and_writes_it_as_the_customer_does(price, language, reads):
    assert said("{{ event.price | money }}.", language=language, event={"price": price}) == f"{reads}."


def test_the_currency_is_the_arguments_else_the_amounts_else_the_events_else_the_workspaces():
    assert said("{{ 5 | money }}", currency="USD") == "$5.00"
    assert said("{{ 5 | money }}", currency="USD", event={"currency": "gbp"}) == "£5.00"
    assert said("{{ '5 EUR' | money }}", currency="USD", event={"currency": "GBP"}) == "€5.00"
    assert said("{{ '5 EUR' | money('JPY') }}", currency="USD", event={"currency": "GBP"}) == "¥5"
    assert said("{{ '$5' | money }}", event={"currency": "CAD"}, language="en-CA") == "$5.00"
    assert said("{{ 5 | money }}", event={"currency": "points"}) == "5.00"
    assert said("{{ 5 | money(event.nosuch) }}", currency="USD") == "$5.00"
    assert said("{{ 5 | money }} {{ 5 | money('Dollar') }}", event={"currency": "EUX"}) == "5.00 5.00"
    for price in ("5 pcs", "X$ 5", {"amount": 5, "currency": "Dollar"}):
        assert said("{{ event.price | money }}", event={"price": price}) == "5.00"
    assert said("{{ -0.001 | money }} {{ -0.0001 | number }} {{ -0.001 | number(2) }}") == "€0.00 0 0.00"
    assert said("{{ 1990 | money(minor=true) }} {{ 1990 | money('JPY', minor=true) }}") == "€19.90 ¥1,990"


def test_numbers_and_dates_are_written_as_the_customer_does():
    assert (
        said("{{ 1299.5 | number }} {{ '1.299,50' | number(2) }} {{ 2.0 | number }} {{ 'x' | number }}.", "de")
        == "1.299,5 1.299,50 2 ."
    )
    event = {"day": "2026-03-05", "at": "2026-03-05T23:30:00Z", "s": 1772753400, "ms": "1772753400000", "odd": "soon"}
    assert said("{{ event.day | date }} {{ event.odd | date }}.", event=event) == "March 5, 2026 ."
    assert said("{{ event.day | date('short') }}", "de", event=event) == "05.03.26"
    for name in ("at", "s", "ms"):
        spelt = f"{{{{ event.{name} | date }}}}, {{{{ event.{name} | time }}}}"
        assert said(spelt, "de", timezone="Europe/Berlin", event=event) == "6. März 2026, 00:30"
    assert said("{{ event.at | date('d. M.') }} {{ event.at | time('HH:mm') }}", event=event) == "5. 3. 23:30"


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda part: (
            st.lists(part, max_size=3) | st.dictionaries(st.sampled_from(("amount", "currency", "a")), part, max_size=3)
        ),
        max_leaves=6,
    ),
    st.text(max_size=8),
)
def test_no_value_and_no_language_ends_a_message(value, language):
    source = (
        "{{ event.x | money }}{{ event.x | number }}{{ event.x | date }}{{ event.x | time }}{{ 'a' ~ event.x | upper }}"
    )
    source += "{% for p in event.x | rows %}{{ p.a | money }}{% endfor %}{{ event.x | default('d') }}{{ event.x + 1 }}"
    source += (
        "{{ event.x > 5 }}{{ event.x | truncate(3) }}{{ event.x | join }}{{ event.x | first }}{{ event.x | length }}"
    )
    made = said(source, language, event={"x": value, "currency": value})
    assert "None" not in made and "Undefined" not in made


PRODUCTS = [
    (None, 0), ([], 0), ({}, 0), (5, 0), ("Bag", 0), ([None], 0), ([{"name": "Bag"}], 1), ({"name": "Bag", "n": 5}, 1),
    ({"0": {"name": "Bag"}, "2": {"name": "Cap"}}, 2), ([{"name": "Bag"}, None, "x", {"price": "n/a"}], 2),
]  # fmt: skip


@pytest.mark.parametrize(("products", "rows"), PRODUCTS, ids=repr)
def test_the_rows_of_an_order_are_its_objects_however_they_are_sent(products, rows):
    assert said("{{ event.products | rows | length }}", event={"products": products}) == str(rows)


@pytest.mark.parametrize(("products", "rows"), PRODUCTS, ids=repr)
@pytest.mark.parametrize("total", [24.9, "24,90", "EUR 24.90", None, "n/a"])
def test_a_receipt_does_not_die_of_one_odd_line(products, rows, total):
    event = {"order_id": 7, "total": total, "currency": "EUR", "products": products}
    renderer = Renderer(config_files.load(SHIPPED).templates)
    values = {"traits": {"name": None}, "event": event, "language": "de", "unsubscribe_url": "https://shop.example/u/t"}
    made = renderer.render("order_receipt.html", "Your order {{ event.order_id }}", values)
    assert made.subject == "Your order 7" and made.html.count("×") == rows
    assert ("24,90" in made.text) == (total not in (None, "n/a")) and "None" not in made.html


def test_a_quantity_as_text_and_a_price_as_text_are_a_line_like_any_other():
    line = {"name": "Bag", "quantity": "2", "price": "1.299,00"}
    renderer = Renderer(config_files.load(SHIPPED).templates)
    made = renderer.render(
        "order_receipt.html", "x", {"event": {"products": [line]}, "language": "de", "currency": "EUR"}
    )
    assert "2 × Bag" in made.text and "1.299,00 €" in made.text.replace("\u00a0", " ")


# -- bounds


GROWING = "{% set ns = namespace(s='aaaaaaaaaa') %}{% for i in range(60) %}{% set ns.s = SOURCE %}{% endfor %}."
GROWING_BLOCKS = "{% for i in range(60) %}{% set x %}{{ ns.s }}{{ ns.s }}{% endset %}{% set ns.s = x %}{% endfor %}"
TWICE = "{% with n = n ~ 'a' %}{% if n != 'a' * 40 %}{% include 'twice.html' %}{% include 'twice.html' %}{% endif %}"


@pytest.mark.parametrize(
    "source",
    [
        "{{ 9**(9**9) }}",
        "{{ 9**(9**9) > 1 }}",
        "{{ 'a' * 10**9 }}",
        "{{ 10**9 * 'a' }}",
        "{{ [0] * 10**9 }}",
        "{{ 'a' | center(10**9) }}",
        "{{ 'a'.center(10**9) }}{{ 'a'.ljust(10**9) }}{{ '5'.zfill(10**9) }}",
        "{{ '\t'.expandtabs(10**9) }}",
        "{{ '%1000000000d' | format(1) }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ '%*d' % (1000000000, 1) }}",
        "{{ '{:>1000000000}'.format(1) }}",
        "{{ '{:>{}}'.format(1, 1000000000) }}",
        "{{ 'x' | indent(10**9, true) }}",
        "{{ 1.5 | round(10**9, 'ceil') }}",
        "{{ [1] | batch(10**9, 'x') | list }}",
        "{{ [1] | slice(10**9) | list }}",
        "{{ [1] | tojson(10**9) }}",
        "{% for i in range(10**9) %}x{% endfor %}",
        "{% for i in range(90000) %}{% for j in range(90000) %}{% endfor %}{% endfor %}",
        "{% set x %}{% for i in range(90000) %}" + "x" * 10_000 + "{% endfor %}{% endset %}",
        "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}",
        "{% macro m(n) %}{{ m(n) }}{% endmacro %}{{ m(1) }}",
        "{% for x in [[1]] recursive %}{{ loop([x]) }}{% endfor %}",
        GROWING.replace("SOURCE", "ns.s ~ ns.s"),
        GROWING.replace("SOURCE", "ns.s + ns.s"),
        GROWING.replace("SOURCE", "ns.s.replace('a', 'aa')"),
        GROWING.replace("SOURCE", "ns.s | replace('a', 'aa')"),
        GROWING.replace("SOURCE", "[ns.s, ns.s] | join"),
        GROWING.replace("SOURCE", "''.join([ns.s, ns.s])"),
        GROWING.replace("SOURCE", "'%s%s' % (ns.s, ns.s)"),
        GROWING.replace("SOURCE", "ns.s | urlize ~ (ns.s | list | join('aaaa'))"),
        "{% set ns = namespace(s='aa') %}" + GROWING_BLOCKS,
        "{{ lipsum(10**9) }}{{ nosuch(1) }}{{ 9**(9**9) }}",
        "{{ " + "(" * 5_000 + "1" + ")" * 5_000 + " }}",
        "{% if x %}" * 500 + "{% endif %}" * 500,
        "{% include 'itself.html' %}",
        "{% include 'twice.html' %}",
    ],
)  # fmt: skip
def test_no_template_hangs_or_fills_a_dispatcher(source):
    templates = {"a.html": source, "itself.html": "{% include 'itself.html' %}"}
    templates["twice.html"] = TWICE + "{% endwith %}"

    async def in_time():
        await asyncio.wait_for(asyncio.to_thread(Renderer(templates).render, "a.html", "x", {"event": {}}), 60)

    with pytest.raises(Refused, match=r"^template a\.html: "):
        asyncio.run(in_time())


@pytest.mark.parametrize(
    "source",
    ["{{ 9**9**9 }}", "{{ '-' * 20 }}", "{{ 'a' | center(20) }}", "{{ '%05.2f' % 3 }}", "{{ range(3) | list }}"],
)
def test_what_a_message_needs_is_within_the_bounds(source):
    assert said(source)


@given(
    st.recursive(
        st.sampled_from(NOTHING) | st.integers() | st.text(),
        lambda part: st.lists(part, max_size=4) | st.dictionaries(st.text(max_size=3), part, max_size=4),
        max_leaves=12,
    )
)
def test_nothing_that_is_absent_is_left_in_what_a_template_sees(value):
    def parts(seen):
        yield seen
        for part in seen.values() if isinstance(seen, dict) else seen if isinstance(seen, list) else ():
            yield from parts(part)

    assert not any(is_absent(part) for part in parts(present({"x": value, "y": 1})))


@pytest.mark.parametrize(
    "source", ["{{ event.x | replace('a') }}", "{{ 5 | money(attribute='x') }}", "{{ event.x is divisibleby }}"]
)
def test_a_filter_that_is_used_wrongly_is_the_templates_fault_whatever_the_data_is(source):
    for value in (5, "a", [1]):
        with pytest.raises(Refused, match="argument"):
            said(source, event={"x": value})


WORDS = {
    "none": None, "text": "abc", "number": 5, "fraction": 1.5, "yes": True, "list": [1, None, "x", {"a": 1}],
    "object": {"a": 1}, "price": "1.299,00", "nested": [[1], [2, None]], "large": 10**30, "emoji": "ü🎉",
    "lines": [{"a": "1,5"}, {"a": 3}, {}],
}  # fmt: skip
NEEDED = {"attr": "'a'", "batch": "2", "groupby": "'a'", "replace": "'a', 'b'", "format": "1", "map": "attribute='a'"}
NEEDED |= {"slice": "2", "divisibleby": "2", "in": "[1]", "rejectattr": "'a'", "selectattr": "'a'"}
NEEDED |= dict.fromkeys(("eq", "equalto", "ne", "lt", "le", "gt", "ge", "lessthan", "greaterthan", "sameas"), "2")


def test_no_filter_and_no_test_ends_a_message_whatever_it_is_given():
    language = TemplateLanguage(autoescape=True)
    filters = [f"{name}({NEEDED.get(name, '')})" for name in language.filters if name != "pprint"]
    tests = [f"{name}({NEEDED.get(name, '')})" for name in language.tests if name.isidentifier()]
    for value in WORDS:
        source = "".join(f"{{{{ event.{value} | {name} }}}}" for name in filters)
        source += "".join(f"{{{{ event.{value} is {name} }}}}" for name in tests)
        made = said(source, event=WORDS)
        assert not any(word in made for word in ("Undefined", "None", "object at"))


@pytest.mark.parametrize(
    ("source", "reads"),
    [
        ("{{ event.list[:2] | join(', ') }}", "1, x"),
        ("{{ event.name[:3] }} {{ event.name[-2:] }} {{ event.name[::2] }}", "Ada ce AaLvlc"),
        ("{{ event.id[-4:] }} {{ event.price[:2] }}", "5678 19"),
        ("{{ event.object[:3] }}{{ event.yes[:3] }}{{ event.gone[:3] }}.", "."),
        ("{% for each in event.object[:3] %}{{ each }}{% endfor %}.", "."),
        ("{{ event.name[event.name:] }}{{ event.name[::0] }}{{ event.name[:event.gone] }}.", "."),
        ("{{ event.name[:event.two | int] }}", "Ad"),
        ("{% for i in range(event.two) %}*{% endfor %}{% for i in range(event.gone) %}-{% endfor %}.", "**."),
        ("{% for i in range(event.object) %}-{% endfor %}{% for i in range(1, '4') %}{{ i }}{% endfor %}", "123"),
        ("{{ event.amount | float }} {{ event.amount | int }} {{ '1.299,00 €' | int }}", "19.9 19 1299"),
        ("{{ 'x' | int | default('none') }} {{ event.gone | float | default('none') }}", "none none"),
        ("{{ 'x' | int(7) }} {{ 'x' | int(default=8) }} {{ 'ff' | int(base=16) }}", "7 8 255"),
    ],
)  # fmt: skip
def test_a_slice_a_range_and_a_number_are_read_whatever_the_data_is(source: str, reads: str) -> None:
    event = {
        "list": [1, "x", 3], "name": "Ada Lovelace", "id": 12345678, "price": 19.5, "object": {"a": 1}, "yes": True,
        "two": "2", "amount": "19,90",
    }  # fmt: skip
    assert said(source, event=event) == reads


NESTED = "{% set n = namespace(x=[1]) %}{% for i in range(40) %}{% set n.x = [n.x, n.x] %}{% endfor %}"


@pytest.mark.parametrize(
    "source",
    [
        *("{{ n.x | pprint }}", "{{ n.x | tojson }}", "{{ n.x }}", "{{ '%s' % n.x }}", "{{ '{}'.format(n.x) }}"),
        *("{{ n.x ~ 'a' }}", "{{ n.x | string }}", "{{ 'a' | replace('a', n.x) }}", "{{ n.x == n.y }}"),
        *("{{ {'a': n.x} | urlencode }}", "{{ n.x | join }}", "{{ {'a': n.x} | xmlattr }}"),
        *("{{ [n.x, n.y] | max }}", "{{ [n.x, n.y] | sort }}", "{{ n.x < n.y }}", "{{ [n.x] is in([n.y]) }}"),
    ],
)
def test_what_is_nested_without_end_is_not_gone_through_without_end(source: str) -> None:
    again = NESTED.replace("{% set n = namespace(x=[1]) %}", "").replace("n.x", "n.y")
    with pytest.raises(Refused, match="more than a message may"):
        said(NESTED + "{% set n.y = [1] %}" + again + source)


def test_a_text_that_grows_by_its_letters_is_bounded() -> None:
    with pytest.raises(Refused, match="more than a message may"):
        said("{{ event.x.translate({97: 'b' * 10000}) }}", event={"x": "a" * 10_000})
    assert said("{{ event.x.translate({97: 'b'}) }}", event={"x": "banana"}) == "bbnbnb"


@pytest.mark.parametrize(
    ("language", "reads"),
    [
        *((tag, "5,00 €") for tag in ("de ", "de-DE,de;q=0.9", "de_DE@euro", "de-u-co-phonebk", "de;q=1, en", "DE")),
        *((tag, "€5.00") for tag in ("no such language", "german", "*", "")),
    ],
)
def test_a_language_is_read_out_of_what_stands_behind_it(language: str, reads: str) -> None:
    assert said("{{ 5 | money }}", language) == reads
