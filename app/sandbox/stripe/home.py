"""GET /: how the sandbox stands, for a person: its time, what is due, subscriptions, checkouts, events, deliveries."""

from collections import Counter
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Final, TypeAlias
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.sandbox.stripe import clock_control, home_rows
from app.sandbox.stripe.errors import StripeError
from app.sandbox.stripe.life import next_dues, run_due
from app.sandbox.stripe.pages import (
    Html,
    badge,
    button,
    element,
    form,
    hidden,
    moment,
    notice,
    page,
    redirect,
    section,
    table,
    together,
)
from app.sandbox.stripe.periods import add_interval
from app.sandbox.stripe.sandbox import Sandbox
from app.sandbox.stripe.wire import JsonObject

_Answer: TypeAlias = Callable[[Sandbox, Request, dict[str, str]], Response]
_REFRESH_S: Final = 3
_DUE: Final = 8
_SUBSCRIPTIONS: Final = 15
_MOST: Final = 500
_EVENTS: Final = 15
_CHECKOUTS: Final = 10
_STEPS: Final = {"hour": "An hour", "day": "A day", "week": "A week", "month": "A month"}


def routes(sandbox: Sandbox) -> list[Route]:
    table: tuple[tuple[str, str, _Answer], ...] = (
        ("GET", "/", _show),
        ("POST", "/clock", _advance),
        ("POST", "/deliveries", _hold),
        ("GET", "/subscriptions", _show_subscriptions),
        ("GET", "/events/{id}", _show_event),
        ("POST", "/events/{id}", _send_again),
    )
    return [Route(path, respond_with(sandbox, answer), methods=[method]) for method, path, answer in table]


def respond_with(sandbox: Sandbox, answer: _Answer) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint of a page; a refusal is shown as one."""

    async def respond(request: Request) -> Response:
        sent = dict(parse_qsl((await request.body()).decode(errors="replace"), keep_blank_values=True))
        run_due(sandbox, sandbox.now())
        try:
            return answer(sandbox, request, sent)
        except StripeError as error:
            return page("That cannot be", notice(str(error), is_bad=True), back(), status=error.status)

    return respond


def back() -> Html:
    return element("p", element("a", "Back to the sandbox", href="/"))


def _show(sandbox: Sandbox, request: Request, _: dict[str, str]) -> Response:
    is_live = request.query_params.get("live") != "no"
    base = str(request.base_url).rstrip("/")
    content = [
        element("div", _time(sandbox), _deliveries(sandbox), class_="columns"),
        _checkouts(sandbox),
        _due(sandbox),
        _events(sandbox),
        _subscriptions(sandbox, base),
        _test_clocks(sandbox),
        _live(is_live=is_live),
    ]
    return page("What happens at Stripe", *content, is_wide=True, refresh_s=_REFRESH_S if is_live else None)


def _live(*, is_live: bool) -> Html:
    if is_live:
        how = f"This page loads itself again every {_REFRESH_S} seconds. "
        return element("p", how, element("a", "Let it stand still", href="/?live=no"), class_="soft")
    return element("p", "This page stands still. ", element("a", "Let it follow", href="/"), class_="soft")


def _time(sandbox: Sandbox) -> Html:
    now, offset = sandbox.now(), sandbox.clock.offset
    ahead = f"{offset / 86_400:.1f} days ahead of the clock on the wall" if offset else "as on the wall"
    steps = [button(label, name="by", value=step) for step, label in _STEPS.items()]
    following = next(next_dues(sandbox), None)
    to_next = button("To what is due next", is_main=True, name="by", value="next", disabled=following is None)
    return section(
        "Time",
        element("p", moment(now), class_="big"),
        element("p", ahead, class_="soft"),
        form("/clock", element("div", to_next, steps, class_="row")),
    )


def _advance(sandbox: Sandbox, _: Request, sent: dict[str, str]) -> Response:
    """Advance by a step, or to what is due next."""
    now, step = sandbox.now(), sent.get("by", "")
    match step:
        case "next":
            following = next(next_dues(sandbox), None)
            to = following[0].at if following else now
        case "hour":
            to = now + 3_600
        case "day" | "week" | "month":
            to = add_interval(now, step, 1)
        case _:
            raise StripeError(f"There is no step {step}.", param="by")
    clock_control.move(sandbox, max(to - now, 0))
    return redirect("/")


def _deliveries(sandbox: Sandbox) -> Html:
    deliveries = sandbox.deliveries
    chaos, rules = deliveries.dial.chaos, sandbox.collection
    urls = [element("p", endpoint.url) for endpoint in deliveries.endpoints.values()]
    unfinished = sum(deliveries.unfinished.values())
    held = form(
        "/deliveries",
        hidden("stopped", "" if chaos.stopped else "yes"),
        button("Let events go" if chaos.stopped else "Hold events back"),
    )
    wrong = home_rows.chaos_words(chaos)
    days = ", ".join(map(str, rules.retry_days))
    tried = f"tried again after {days} days" if days else "not tried again"
    after = home_rows.AFTER_LAST_RETRY[rules.after_last_retry]
    collected = f"A failed payment is {tried}; then the subscription {after}."
    return section(
        "Deliveries",
        urls or element("p", "No webhook endpoint: events go nowhere.", class_="soft"),
        element(
            "p",
            badge("held back", "bad") if chaos.stopped else badge("flowing", "good"),
            f" {unfinished} on their way. ",
            f"What goes wrong: {', '.join(wrong)}." if wrong else "Nothing goes wrong on purpose.",
        ),
        element("p", collected, class_="soft"),
        element("div", held, element("a", "Chaos and collection", href="/settings", class_="button"), class_="row"),
    )


def _hold(sandbox: Sandbox, _: Request, sent: dict[str, str]) -> Response:
    chaos = sandbox.deliveries.dial.chaos
    sandbox.deliveries.turn(msgspec.structs.replace(chaos, stopped=sent.get("stopped") == "yes"))
    return redirect("/")


def _due(sandbox: Sandbox) -> Html:
    found = list(islice(next_dues(sandbox), _DUE))
    if not found:
        return section("Due next", element("p", "Nothing is due.", class_="soft"))
    return section("Due next", table(("What", "Whose", "When"), home_rows.due_rows(sandbox, found)))


def _checkouts(sandbox: Sandbox) -> Html | str:
    sessions = [one for one in sandbox.store.all("checkout.session") if one["status"] == "open"]
    if not sessions:
        return ""
    rows = home_rows.checkout_rows(sandbox, sessions[:_CHECKOUTS])
    return section(f"Open checkouts: {len(sessions)}", table(("Checkout", "Whose", "Expires", "Total"), rows))


def _subscriptions(sandbox: Sandbox, base: str) -> Html:
    every = sandbox.store.all("subscription")
    if not every:
        how = f"There is none yet. Point a Stripe SDK at {base}, with any key, and begin."
        return section("Subscriptions", element("p", how, class_="soft"))
    counted = Counter(one["status"] for one in every)
    states = [together(home_rows.status_badge(status, f"{count} {status}"), " ") for status, count in counted.items()]
    more = element("p", element("a", f"All {len(every)}", href="/subscriptions")) if len(every) > _SUBSCRIPTIONS else ""
    return section("Subscriptions", element("p", states), _subscription_table(sandbox, every[:_SUBSCRIPTIONS]), more)


def _subscription_table(sandbox: Sandbox, subscriptions: list[JsonObject]) -> Html:
    head = ("Customer", "Pays for", "Status", "Then", "", "Amount")
    return table(head, home_rows.subscription_rows(sandbox, subscriptions))


def _show_subscriptions(sandbox: Sandbox, _: Request, __: dict[str, str]) -> Response:
    every = sandbox.store.all("subscription")
    shown = f"The newest {_MOST} of {len(every)}" if len(every) > _MOST else f"All {len(every)}"
    return page("Subscriptions", section(shown, _subscription_table(sandbox, every[:_MOST])), back(), is_wide=True)


def _test_clocks(sandbox: Sandbox) -> Html | str:
    clocks = sandbox.store.all("test_helpers.test_clock")
    if not clocks:
        return ""
    rows = [(one["name"] or one["id"], one["status"], moment(one["frozen_time"])) for one in clocks]
    return section("Test clocks", table(("Clock", "Status", "Time"), rows))


def _events(sandbox: Sandbox) -> Html:
    events = sandbox.store.all("event")[:_EVENTS]
    if not events:
        return section("Events", element("p", "Nothing has happened yet.", class_="soft"))
    head = ("When", "What", "About", "Delivery", "")
    return section("Events", table(head, home_rows.event_rows(sandbox, events)))


def _show_event(sandbox: Sandbox, request: Request, _: dict[str, str]) -> Response:
    event = sandbox.store.get("event", request.path_params["id"])
    attempts = [one for one in sandbox.deliveries.attempts if one.event_id == event["id"]]
    tried = table(("When", "Where", "Answer", "Took"), home_rows.attempt_rows(attempts)) if attempts else "None yet."
    again = form(f"/events/{event['id']}", button("Send again"))
    return page(
        event["type"],
        section("Attempts to deliver it", element("div", tried), again),
        section("The event", element("pre", home_rows.pretty(event))),
        back(),
        is_wide=True,
    )


def _send_again(sandbox: Sandbox, request: Request, _: dict[str, str]) -> Response:
    sandbox.deliveries.send_again(sandbox.store.get("event", request.path_params["id"]))
    return redirect("/")
