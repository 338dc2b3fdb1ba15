"""One canonical value per namespace."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engine.catalog.compile import compile_document
from engine.errors import InvalidInput
from engine.values.identifiers import canonical, canonical_if_any, mailbox, parse_reference
from engine.values.nobody import is_blocked
from engine.vocabulary import NAMESPACES

PROFILE = "0a1b" + "2c" * 13


@pytest.mark.parametrize(
    ("namespace", "value", "expected"),
    [
        ("email", "  Ada@Example.COM ", "ada@example.com"),
        ("email", "ada+shoes@shop.test", "ada+shoes@shop.test"),
        ("email", "ÄDA@exämple.com", "äda@exämple.com"),
        ("email", "ada@xn--exmple-cua.com", "ada@exämple.com"),
        ("phone", "+49 (151) 123-456 78", "+4915112345678"),
        ("phone", "tel:+1-650-253-0000", "+16502530000"),
        ("user_id", 42, "42"),
        ("user_id", 0, "0"),
        ("user_id", " Ada 7 ", "Ada 7"),
        ("loyalty_id", "Cafe\u0301", "Caf\u00e9"),
        ("anonymous_id", "x" * 255, "x" * 255),
        ("profile_id", PROFILE.upper(), PROFILE),
        ("email", "cleo@straße.de", "cleo@straße.de"),
        ("email", "cleo@xn--strae-oqa.de", "cleo@straße.de"),
        ("email", "cleo@XN--STRAE-OQA.DE", "cleo@straße.de"),
        ("email", "cleo@STRAẞE.de", "cleo@straße.de"),
        ("email", "cleo@straße。de", "cleo@straße.de"),
        ("email", "cleo@ｓｔｒａße．de", "cleo@straße.de"),
        ("email", "cleo@straße.de.", "cleo@straße.de"),
        ("email", "cleo@straße.xn--p1ai", "cleo@straße.рф"),
        ("email", "ada@βόλος.gr", "ada@βόλος.gr"),
        ("profile_id", "0A1b" + "0" * 26, "0a1b" + "0" * 26),
    ],
)
def test_two_spellings_of_one_thing_become_one_value(namespace, value, expected):
    assert canonical(namespace, value) == expected
    assert canonical(namespace, expected) == expected


@pytest.mark.parametrize(
    ("namespace", "value", "problem"),
    [
        ("email", "ada", "not an e-mail"),
        ("email", "Ada <ada@example.com>", "not an e-mail"),
        ("email", "ada@example.com\x00", "not an e-mail"),
        ("email", "a@b.de, c@d.de", "not an e-mail"),
        ("phone", "0151 12345678", "country code"),
        ("phone", "+49", "country code"),
        ("phone", "+1 650 253 0000 ext. 12", "switchboard"),
        ("phone", "+1650253000000000", "possible"),
        ("user_id", "", "empty"),
        ("user_id", " \t", "empty"),
        ("user_id", None, "text or a whole number"),
        ("user_id", True, "text or a whole number"),
        ("user_id", 1.5, "text or a whole number"),
        ("user_id", ["a"], "text or a whole number"),
        ("user_id", "x" * 256, "longer"),
        ("user_id", "a\x00b", "control"),
        ("user_id", "a\nb", "control"),
        ("user_id", "a\ud800b", "broken"),
        ("shoe_size", "43", "none of the namespaces"),
        ("email", "a@xn--a.de", "not an e-mail"),
        ("email", "a@[127.0.0.1]", "not an e-mail"),
        ("email", "a@shop.de..", "not an e-mail"),
        ("email", ".", "not an e-mail"),
        ("profile_id", "zz", "not the id"),
        ("profile_id", "0a1b", "not the id"),
        ("profile_id", "ffff" + "0" * 26, "not the id"),
    ],
)
def test_what_names_nobody_is_refused_and_says_which_namespace(namespace, value, problem):
    for _ in range(2):  # a kept refusal is a refusal too
        with pytest.raises(InvalidInput, match=problem) as caught:
            canonical(namespace, value)
        assert caught.value.field == namespace


@given(st.sampled_from(NAMESPACES), st.one_of(st.text(), st.emails(), st.integers(), st.from_regex(r"\+[0-9 ]{5,15}")))
def test_a_canonical_value_is_its_own_canonical_value(namespace, value):
    try:
        once = canonical(namespace, value)
    except InvalidInput:
        assume(False)
    assert canonical(namespace, once) == once


@pytest.mark.parametrize(
    ("reference", "pair"),
    [
        ("email:ADA@example.com", ("email", "ada@example.com")),
        ("user_id:urn:shop:7", ("user_id", "urn:shop:7")),
        (f"profile_id:{PROFILE}", ("profile_id", PROFILE)),
    ],
)
def test_a_reference_is_a_namespace_and_a_value_that_may_hold_colons(reference, pair):
    assert parse_reference(reference) == pair


@pytest.mark.parametrize("reference", ["ada", "", ":ada", "shoe_size:43", "email:", "email:ada"])
def test_a_reference_that_names_nobody_is_refused(reference):
    with pytest.raises(InvalidInput):
        parse_reference(reference)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("NULL", True), ("null", True), ("nullo", False), ("(Null)", True)],
)
def test_blocked_values_are_blocked_whatever_their_case(value, expected):
    assert is_blocked(value, frozenset({"null", "0"})) is expected


@pytest.mark.parametrize(
    "value", ["zz", "", "0a1b", PROFILE + "0", "1" + PROFILE[1:], "g" * 30, "٠" * 30, PROFILE + "\n0"]
)
def test_what_is_not_the_id_of_a_profile_is_refused(value: str):
    with pytest.raises(InvalidInput) as fault:
        canonical("profile_id", value)
    assert fault.value.field == "profile_id"


@pytest.mark.parametrize(
    ("address", "named"),
    [
        ("cleo@straße.de", "cleo@xn--strae-oqa.de"),
        ("cleo@xn--strae-oqa.de", "cleo@xn--strae-oqa.de"),
        ("ada@βόλος.gr", "ada@xn--nxasmm1c.gr"),
        ("ada@βόλοσ.gr", "ada@xn--nxasmq6b.gr"),
        ("жук@straße.de", "жук@xn--strae-oqa.de"),
        ("segue@localhost", "segue@localhost"),
    ],
)
def test_a_domain_is_named_to_the_mail_server_as_its_owner_registered_it(address, named):
    assert mailbox(address) == named
    assert mailbox(named) == named


@pytest.mark.parametrize(
    "address", ["", "ada", "@a.de", "a b@a.de", "a@b@c.de", "a@b.de,c@d.de", "a@xn--a.de", "a@☃.net"]
)
def test_what_is_no_mailbox_is_named_to_nobody(address):
    with pytest.raises(InvalidInput):
        mailbox(address)


@given(st.emails())
def test_what_the_door_keeps_can_be_mailed_and_comes_back_the_same(address):
    try:
        kept = canonical("email", address)
    except InvalidInput:
        assume(False)
    assert canonical("email", mailbox(kept)) == kept


NOBODY = [
    "(null)", "<null>", "<nil>", "[NULL]", "'null'", '"undefined"', "(not set)", "not set", "Optional(nil)",
    "[object Undefined]", "[object Null]", "[object Object]", '""', "''", "()", "\\N", "#N/A", "{{user.id}}",
    "{{ user.id }}", "user-{{id}}", "%%user_id%%", "${userId}", "#{user.id}", "<%= id %>", "{% id %}", "*|ID|*",
    "{00000000-0000-0000-0000-000000000000}",
]  # fmt: skip


@pytest.mark.parametrize("value", NOBODY)
def test_what_clients_write_for_nobody_names_nobody(value: str):
    identity = compile_document({}).identity
    for namespace in ("user_id", "anonymous_id", "device_id", "loyalty_id"):
        spelt = canonical_if_any(namespace, value)
        assert not spelt or identity.is_blocked(namespace, spelt)


@pytest.mark.parametrize(
    "value", ["ada", "{ada}", "(12)", "50%", "100%%", "a*b|c", "$12", "<ada@shop.example>", "o'neil"]
)
def test_who_has_a_bracket_in_the_name_is_somebody(value: str):
    assert not compile_document({}).identity.is_blocked("user_id", canonical("user_id", value))


FORMS = {"plain": "plain", "lower": "lower", "upper": "upper", "digits": "digits", "email": "email", "phone": "phone"}


@pytest.mark.parametrize(
    ("form", "value", "expected"),
    [
        ("lower", "  CRM-Äx7 ", "crm-äx7"),
        ("upper", "crm-straße", "CRM-STRASSE"),
        ("digits", "4000 1234-5678.90/1", "40001234567890" + "1"),
        ("digits", 4711, "4711"),
        ("digits", "٤٧١١", "4711"),
        ("digits", "１２ ３４", "1234"),
        ("email", "Ada@Example.COM", "ada@example.com"),
        ("plain", "shop-иван", "shop-иван"),
        ("plain", "иван", "иван"),
        ("plain", "東京Tokyo", "東京Tokyo"),
        ("plain", "\u202eada\u202c", "ada"),
    ],
)
def test_a_namespace_of_ones_own_has_the_form_that_it_is_given(form: str, value: object, expected: str):
    assert canonical(form, value, forms=FORMS) == expected
    assert canonical(form, expected, forms=FORMS) == expected


@pytest.mark.parametrize(
    ("form", "value"),
    [
        ("digits", "12a4"),
        ("digits", "--"),
        ("digits", "-5x"),
        ("plain", "\u0430da"),
        ("lower", "pay\u0440al"),
        ("upper", "\u0391DA"),
        ("plain", "\u0430\u0338da"),
        ("email", "\u0430da@example.com"),
        ("plain", "x" * 10_240),
        ("plain", "a\nb"),
        ("elsewhere", "a"),
    ],
)
def test_a_value_that_has_no_such_form_or_could_be_taken_for_another_is_refused(form: str, value: str):
    with pytest.raises(InvalidInput) as fault:
        canonical(form, value, forms=FORMS, field="properties.card")
    assert fault.value.field == ("elsewhere" if form == "elsewhere" else "properties.card")


@given(st.text(max_size=40), st.sampled_from(sorted(FORMS)))
def test_a_form_applied_to_its_own_result_changes_nothing(value: str, form: str):
    try:
        once = canonical(form, value, forms=FORMS)
    except InvalidInput:
        return
    assert canonical(form, once, forms=FORMS) == once
