from base64 import b64encode
from hashlib import sha256

import pytest

from app.sandbox.stripe.pages import button, day, element, hidden, moment, money, page, redirect, table, together

_NASTY = "<script>alert('x')</script>\"&"


def test_text_is_escaped_and_markup_is_not() -> None:
    shown = element("p", _NASTY, element("b", "bold"), title=_NASTY)

    assert shown == (
        '<p title="&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;&quot;&amp;">'
        "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;&quot;&amp;<b>bold</b></p>"
    )
    assert together([_NASTY], element("i")) == "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;&quot;&amp;<i></i>"


def test_attributes_are_named_as_in_html() -> None:
    shown = element("input", class_="wide", data_kind="a", required=True, disabled=False)

    assert shown == '<input class="wide" data-kind="a" required>'
    assert hidden("code", "a<b") == '<input type="hidden" name="code" value="a&lt;b">'
    assert button("Pay", is_main=True, name="do", value="pay") == (
        '<button class="main" name="do" value="pay">Pay</button>'
    )


def test_a_page_takes_nothing_from_elsewhere_and_runs_no_script() -> None:
    answer = page(_NASTY, element("p", "hello"), status=404)

    text = bytes(answer.body).decode()
    style = text.partition("<style>")[2].partition("</style>")[0]
    assert answer.status_code == 404
    assert "<script" not in text
    assert "//" not in style
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert b64encode(sha256(style.encode()).digest()).decode() in policy
    assert answer.headers["cache-control"] == "no-store"


def test_a_table_closes_with_its_total() -> None:
    shown = table(("What", "Amount"), [("Pro", "10")], total=[("Total", "10")])

    assert '<tr><td>Pro</td><td class="amount">10</td></tr>' in shown
    assert '<tr class="total"><td>Total</td><td class="amount">10</td></tr>' in shown


def test_a_form_is_answered_so_that_it_is_not_sent_again() -> None:
    answer = redirect("https://shop.test/done?a=1")

    assert (answer.status_code, answer.headers["location"]) == (303, "https://shop.test/done?a=1")


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        pytest.param(123_450, "usd", "1,234.50 USD", id="cents"),
        pytest.param(-5, "eur", "-0.05 EUR", id="negative"),
        pytest.param(1_200, "jpy", "1,200 JPY", id="no cents"),
        pytest.param(1_234_560, "kwd", "1,234.560 KWD", id="three decimals"),
    ],
)
def test_money_is_readable(amount: int, currency: str, shown: str) -> None:
    assert money(amount, currency) == shown


def test_instants_are_readable() -> None:
    assert (day(1_795_286_940), moment(1_795_286_940)) == ("21 Nov 2026", "21 Nov 2026, 18:49 UTC")
