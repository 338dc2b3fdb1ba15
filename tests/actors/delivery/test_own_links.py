"""The token of a message goes into links to one's own hosts, and into no other link."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.delivery.channels.own_links import OwnLinks
from actors.delivery.channels.plain_text import plain_text

PIECES = [
    *("<", ">", "/", "!", "-", "--", "[", "]", "=", "'", '"', " ", "a", "href", "script", "title", "&", "#", ";", "9"),
    *("<a href=https://shop.example/>", "<!--", "-->", "<![", "<p>", "</p>", "é", "\n", "&#x"),
]
OWN = OwnLinks("TOK", ("shop.example", "*.shop.example"), ("/legal",), "https://shop.example/engine")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("https://shop.example", "https://shop.example?sg=TOK"),
        ("https://shop.example/cart", "https://shop.example/cart?sg=TOK"),
        ("https://shop.example/cart;x=1", "https://shop.example/cart;x=1?sg=TOK"),
        ("https://shop.example/about.html", "https://shop.example/about.html?sg=TOK"),
        ("https://shop.example/?utm_campaign=preferences", "https://shop.example/?utm_campaign=preferences&amp;sg=TOK"),
        ("HTTPS://Shop.Example/cart", "HTTPS://Shop.Example/cart?sg=TOK"),
        ("https://m.shop.example:8443/", "https://m.shop.example:8443/?sg=TOK"),
        (
            "https://shop.example/?utm_source=mail&amp;x=%26",
            "https://shop.example/?utm_source=mail&amp;x=%26&amp;sg=TOK",
        ),
        ("https://shop.example/?a=1&b=2#top", "https://shop.example/?a=1&b=2&amp;sg=TOK#top"),
        ("https://shop.example/?a=1&amp;", "https://shop.example/?a=1&amp;&amp;sg=TOK"),
        ("https://shop.example/a?q=R&#38;D#end", "https://shop.example/a?q=R&#38;D&amp;sg=TOK#end"),
        ("https://shop.example/a?q=1&#35;end", "https://shop.example/a?q=1&amp;sg=TOK&#35;end"),
        ("https://shop.example/a&#x23;end", "https://shop.example/a?sg=TOK&#x23;end"),
        ("https://shop.example/a&quest;q=1", "https://shop.example/a&quest;q=1&amp;sg=TOK"),
        ("https://shop.example/engine/cart", "https://shop.example/engine/cart?sg=TOK"),
        ("http://127.0.0.1:9000/cart", "http://127.0.0.1:9000/cart"),  # nobody named it
    ],
)
def test_a_link_to_an_own_host_gets_the_token_and_keeps_all_else(before: str, after: str):
    assert OWN.in_html(f'<p>x<a class="b" href="{before}">go</a></p>') == f'<p>x<a class="b" href="{after}">go</a></p>'


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example/cart",  # anybody on the way could read it
        "https://other.example/?u=https://shop.example/",
        "https://evilshop.example/",
        "https://shop.example.other.example/",
        "https://shop.example@other.example/",
        "https://other.example\\@shop.example/",
        "https://shop.example&#64;other.example/",
        "https:/shop.example/",
        "//shop.example/cart",
        "/cart",
        "mailto:hello@shop.example",
        "javascript:location='https://shop.example/'",
        "https://shop.example/engine/u/abc",  # the engine's own pages
        "https://shop.example/engine/c/abc",
        "HTTPS://SHOP.example/engine/u/abc",
        "https://shop.example:443/engine/u/abc",
        "https://shop.example/engine/./%75/abc",
        "https://shop.example/account/unsubscribe?who=1",
        "https://shop.example/%75nsubscribe",
        "https://shop.example/Preferences",
        "https://shop.example/legal/terms",
        "https://shop.example/legal;x=1/terms",
        "https://shop.example/engine/u;x=1/abc",
        "https://shop.example/engine;a/u/abc;b",
        "https://shop.example/engine/%2575/abc",
        "https://shop.example/unsubscribe.html",
        "https://shop.example/unsubscribe;x=1",
        "https://shop.example/mail/un%73ubscribe.php;jsessionid=1?who=1",
        "https://shop.example/%2575nsubscribe",
        "https://shop.example/opt_out.aspx",
        "https://shop.example/OptOut",
        "https://shop.example/newsletter-opt-out-all",
        "https://shop.example/email_preferences/",
        "https://shop.example/preference-center/preferences.do",
        "https://shop.example/account?page=unsubscribe",
        "https://shop.example/account?unsubscribe",
        "https://shop.example/app#/mail/preferences",
        "https://shop.example/confirm.html?t=1",
        "https://shop.example/?sg=other",
    ],
)
def test_no_other_link_gets_it(url: str):
    html, text = f"<a href='{url}'>go</a>", f"Go: {url}\n"
    assert OWN.in_html(html) == html
    assert OWN.in_text(text) == text


@pytest.mark.parametrize("href", ["https://shop.example/&#117;nsubscribe", "https://shop.example/engine&sol;u&sol;abc"])
def test_a_reference_hides_no_page(href: str):
    assert OWN.in_html(f'<a href="{href}">go</a>') == f'<a href="{href}">go</a>'


@pytest.mark.parametrize(
    "hides", ["title='see href=\"https://shop.example/1\"'", 'data-x=" href=https://shop.example/1"']
)
def test_the_value_of_another_attribute_is_no_link(hides: str):
    tag = f'<a {hides} href="https://shop.example/2">'
    assert OWN.in_html(tag) == tag.replace("example/2", "example/2?sg=TOK")


def test_a_shop_that_the_engine_lives_behind_has_links_all_the_same():
    own = OwnLinks("TOK", ("shop.example",), (), "https://shop.example")
    assert own.in_text("https://shop.example/cart") == "https://shop.example/cart?sg=TOK"
    for page in ("https://shop.example/u/abc", "https://shop.example/c/abc"):
        assert own.in_text(page) == page


TAILS = [
    "<a",
    '<a href="',
    "<!--",
    "</",
    "<a href ",
    "<a x=' ",
    "<![<",
    "<![CDATA[",
    "<?",
    "<!",
    "<script>",
    "<a b",
    "<a/=",
]


@pytest.mark.parametrize("tail", TAILS)
def test_a_tag_that_never_ends_is_looked_at_once(tail: str):
    html = '<a href="https://shop.example/1">1</a>' + tail * 60_000
    assert OWN.in_html(html) == html.replace("example/1", "example/1?sg=TOK")
    assert plain_text(html).startswith("1 (https://shop.example/1)")


@pytest.mark.parametrize("number", ["9" * 9_000, "0" * 9_000 + "35", "x" + "9" * 9_000])
def test_a_reference_with_very_many_digits_is_no_fault(number: str):
    html = f'<p>a&#{number};b<a href="https://shop.example/&#{number};x">go</a>'
    assert OWN.in_html(html).count("sg=TOK") == 1
    assert plain_text(html).startswith("a#b" if number.endswith("35") else "a\N{REPLACEMENT CHARACTER}b")


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_whatever_is_written_nothing_but_links_changes(html: str):
    assert OWN.in_html(html).replace("?sg=TOK", "").replace("&amp;sg=TOK", "") == html
    assert plain_text(html).endswith("\n")


def test_many_brackets_behind_a_link_are_looked_at_once():
    text = "https://shop.example/1" + ")" * 200_000
    assert OWN.in_text(text) == text.replace("example/1", "example/1?sg=TOK")


def test_only_links_are_changed_and_everything_else_stays_byte_for_byte():
    html = (
        '<!-- <a href="https://shop.example/1"> -->\n<style>a[href="https://shop.example/2"]{}</style>\n'
        '<img src="https://shop.example/3.png"><a\n  title="a > b"\n  HREF=https://shop.example/4>4</A>\r\n'
        "<a data-href='https://shop.example/5'>5</a><area href=' https://shop.example/6 '>é<a name=x>"
    )
    signed = html.replace("example/4", "example/4?sg=TOK").replace("example/6", "example/6?sg=TOK")
    assert OWN.in_html(html) == signed


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("See https://shop.example/cart.", "See https://shop.example/cart?sg=TOK."),
        ("Cart (https://shop.example/cart)", "Cart (https://shop.example/cart?sg=TOK)"),
        ("(https://shop.example/a_(b)?x=1)!", "(https://shop.example/a_(b)?x=1&sg=TOK)!"),
        ("<https://shop.example/?a=1&b=2#c>", "<https://shop.example/?a=1&b=2&sg=TOK#c>"),
    ],
)
def test_a_link_in_plain_text_ends_before_the_sentence_does(before: str, after: str):
    assert OWN.in_text(before) == after
