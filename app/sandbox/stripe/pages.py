"""The frame of the sandbox's pages: escaped markup, one style for all, nothing from elsewhere, no script."""

import base64
import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from html import escape
from typing import Final, TypeAlias

from starlette.responses import HTMLResponse, RedirectResponse, Response

from app.domain.money import exponent

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1c2433; --soft: #5d6879; --line: #d9dee7; --paper: #fff; --back: #f4f6f9;
  --mark: #4a45d6; --mark-ink: #fff; --good: #17693a; --good-back: #e3f4ea; --bad: #a4232f; --bad-back: #fbe9ea; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --soft: #9aa5b6; --line: #333c4b; --paper: #1a202b;
  --back: #11161e; --mark: #8b87ff; --mark-ink: #12141c; --good: #8fdcae; --good-back: #16301f; --bad: #ff9fa8;
  --bad-back: #3a1b20; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
header { padding: .6rem 1.25rem; border-bottom: 1px solid var(--line); background: var(--paper); color: var(--soft);
  font-size: .875rem; }
header b { color: var(--ink); }
header a { text-decoration: none; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(24rem, 100%), 1fr)); gap: 0 1.25rem; }
main.wide { max-width: 78rem; }
main { max-width: 46rem; margin: 0 auto; padding: 1.5rem 1.25rem 4rem; }
h1 { margin: .5rem 0 1rem; font-size: 1.5rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 0 0 .75rem; font-size: 1.0625rem; }
p { margin: 0 0 .75rem; }
section { margin: 0 0 1.25rem; padding: 1.25rem; border: 1px solid var(--line); border-radius: .6rem;
  background: var(--paper); }
section > :last-child { margin-bottom: 0; }
table { width: 100%; margin: 0 0 .75rem; border-collapse: collapse; }
th, td { padding: .45rem .75rem .45rem 0; border-bottom: 1px solid var(--line); text-align: left;
  overflow-wrap: anywhere; }
th { color: var(--soft); font-size: .8125rem; font-weight: 600; }
tr > :last-child { padding-right: 0; }
tbody tr:last-child td { border-bottom: 0; }
.amount { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.total td { border-top: 1px solid var(--line); }
.total:last-child td { font-weight: 700; }
.soft { color: var(--soft); font-size: .875rem; }
.notice { padding: .7rem 1rem; border-radius: .6rem; background: var(--good-back); color: var(--good); }
.bad { background: var(--bad-back); color: var(--bad); }
.badge { padding: .1rem .55rem; border-radius: 1rem; background: var(--back); color: var(--soft); font-size: .8125rem;
  white-space: nowrap; }
.badge.good { background: var(--good-back); color: var(--good); }
.badge.bad { background: var(--bad-back); color: var(--bad); }
.big { font-size: 1.625rem; font-weight: 650; font-variant-numeric: tabular-nums; }
section > :is(table, div) + :is(form, p) { margin-top: 1rem; }
.wide section { overflow-x: auto; }
.wide :is(th, td) { overflow-wrap: normal; }
.nowrap { white-space: nowrap; }
pre { margin: 0; overflow-x: auto; font-size: .8125rem; }
button.small { padding: .15rem .6rem; font-size: .8125rem; white-space: nowrap; }
.row { display: flex; flex-wrap: wrap; gap: .6rem; align-items: center; }
.row > form { margin: 0; }
label { display: block; margin: 0 0 .75rem; }
label > .soft { display: block; }
label.choice { display: flex; gap: .7rem; align-items: baseline; margin: 0; padding: .5rem 0;
  border-bottom: 1px solid var(--line); }
label.choice:last-of-type { border-bottom: 0; margin-bottom: .75rem; }
input, select, button { font: inherit; color: inherit; }
input:not([type=radio], [type=checkbox]), select { width: 100%; padding: .5rem .65rem; border: 1px solid var(--line);
  border-radius: .4rem; background: var(--paper); }
.row input:not([type=radio], [type=checkbox]), .row select { flex: 1 1 8rem; width: auto; }
button, a.button { display: inline-block; padding: .5rem 1rem; border: 1px solid var(--line); border-radius: .4rem;
  background: var(--paper); color: var(--ink); text-decoration: none; white-space: nowrap; cursor: pointer; }
button.main { border-color: var(--mark); background: var(--mark); color: var(--mark-ink); font-weight: 600; }
a { color: var(--mark); }
:focus-visible { outline: 2px solid var(--mark); outline-offset: 2px; }
"""
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
}
_VOID: Final = ("input", "meta")


class Html(str):
    """Markup that goes into a page as it is; every other text is escaped."""

    __slots__ = ()


Child: TypeAlias = "str | Iterable[str]"


def element(tag: str, /, *children: Child, **attributes: str | bool) -> Html:
    """Return `<tag …>children</tag>`.

    `class_` stands for `class`, an underscore for a hyphen; true sets an attribute without a value, false leaves it
    out.
    """
    opened = f"<{tag}{''.join(_attribute(key, value) for key, value in attributes.items())}>"
    return Html(opened if tag in _VOID else f"{opened}{together(*children)}</{tag}>")


def _attribute(name: str, value: str | bool) -> str:  # noqa: FBT001 - as HTML has them
    if value is False:
        return ""
    known = name.rstrip("_").replace("_", "-")
    return f" {known}" if value is True else f' {known}="{escape(value)}"'


def together(*children: Child) -> Html:
    """Return the children one after another, with what is no markup escaped."""
    return Html("".join(_markup(child) if isinstance(child, str) else together(*child) for child in children))


def _markup(child: str) -> str:
    return child if isinstance(child, Html) else escape(child)


def page(
    title: str, *content: Child, status: int = 200, is_wide: bool = False, refresh_s: int | None = None
) -> HTMLResponse:
    """Return a whole page with its heading; it is not cached, so that going back shows how things stand.

    With `refresh_s` the browser loads it again every so many seconds.
    """
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", http_equiv="refresh", content=str(refresh_s)) if refresh_s else "",
        element("title", f"{title} · Stripe sandbox"),
        element("style", Html(_STYLE)),
    )
    banner = element("header", element("a", element("b", "Stripe sandbox"), href="/"), " · no money moves here")
    body = element("body", banner, element("main", element("h1", title), *content, class_="wide" if is_wide else False))
    return HTMLResponse(f"<!doctype html>\n{element('html', head, body, lang='en')}", status, _HEADERS)


def section(heading: str, *content: Child) -> Html:
    return element("section", element("h2", heading), *content)


def table(head: Iterable[str], rows: Iterable[Iterable[str]], *, total: Iterable[Iterable[str]] = ()) -> Html:
    """Return a table whose last column is aligned right, for amounts; rows of `total` close it."""
    return element(
        "table",
        element("thead", _row("th", head)),
        element("tbody", [_row("td", cells) for cells in rows], [_row("td", cells, class_="total") for cells in total]),
    )


def _row(cell: str, contents: Iterable[str], **attributes: str) -> Html:
    *first, last = contents
    shown = [element(cell, content) for content in first]
    return element("tr", shown, element(cell, last, class_="amount"), **attributes)


def form(action: str, *content: Child) -> Html:
    """Return a form that posts to `action`."""
    return element("form", *content, method="post", action=action)


def button(label: str, *, is_main: bool = False, is_small: bool = False, **attributes: str | bool) -> Html:
    kind = "main" if is_main else "small" if is_small else False
    return element("button", label, class_=kind, **attributes)


def hidden(name: str, value: str) -> Html:
    return element("input", type="hidden", name=name, value=value)


def notice(text: str, *, is_bad: bool = False) -> Html:
    """Return what has just happened, for the top of a page."""
    return element("p", text, class_="notice bad" if is_bad else "notice", role="status")


def badge(text: str, tone: str = "") -> Html:
    """Return a short word about a state; `tone` is `good`, `bad` or nothing."""
    return element("span", text, class_=f"badge {tone}".strip())


def redirect(url: str) -> Response:
    """Answer a form: the browser goes on to `url` and, going back, does not send the form again."""
    return RedirectResponse(url, 303, {"Cache-Control": "no-store"})


def money(amount: int, currency: str) -> str:
    """Return an amount in minor units as a person reads it: `1,234.50 USD`."""
    decimals = exponent(currency)
    return f"{Decimal(amount).scaleb(-decimals):,.{decimals}f} {currency.upper()}"


def day(at: int) -> str:
    """Return the day of an instant in epoch seconds: `21 Nov 2026`."""
    return datetime.fromtimestamp(at, UTC).strftime("%-d %b %Y")


def moment(at: int) -> str:
    """Return day and time of an instant in epoch seconds: `21 Nov 2026, 18:49 UTC`."""
    return datetime.fromtimestamp(at, UTC).strftime("%-d %b %Y, %H:%M UTC")
