"""The things that may happen in a life, each drawn from what is possible then."""

from collections.abc import Callable, Sequence
from decimal import Decimal

from hypothesis import strategies as st
from support.lives import DRAWING, PLACE, Life
from support.records import wanted
from support.worlds import STATUSES, TTLS, baskets, fine, grants, overrides, plan_versions, spans

from app.domain.usage import UsageKind

ASKED = ("consume", "consume", "reserve", "settle", "release", "wait", "top up", "correct down")
PURCHASES = ("switch", "buy", "publish", "status")
DECISIONS = ("override", "revoke", "lift")
REPORTS = ("record", "record late", "settle more", "correct up")


EVERYTHING = (*ASKED, *PURCHASES, *REPORTS, *DECISIONS)


def lived(data: st.DataObject, life: Life, among: Sequence[str], *, most: int = 12) -> None:
    """Let some things happen."""
    for _ in range(data.draw(st.integers(0, most))):
        step(data, life, among)


def step(data: st.DataObject, life: Life, among: Sequence[str]) -> None:
    """Do one thing of those named; nothing, where it is not possible now."""
    _ACTS[data.draw(st.sampled_from(among))](data, life)


def _consume(data: st.DataObject, life: Life) -> None:
    life.consume(*data.draw(baskets((*DRAWING, "api_calls"))))


def _reserve(data: st.DataObject, life: Life) -> None:
    life.reserve(*data.draw(baskets((*DRAWING, "api_calls"))), ttl=data.draw(TTLS))


def _settle(data: st.DataObject, life: Life, shares: Sequence[str] = ("0", "0.3", "1")) -> None:
    if held := life.open_reservations():
        reserved = data.draw(st.sampled_from(held))
        share = Decimal(data.draw(st.sampled_from(shares)))
        life.is_lenient = life.is_lenient or share > 1
        life.settle(
            reserved.id, *(wanted((line.amount * share).quantize(PLACE), line.feature_key) for line in reserved.lines)
        )


def _release(data: st.DataObject, life: Life) -> None:
    if held := life.open_reservations():
        life.release(data.draw(st.sampled_from(held)).id)


def _correct(data: st.DataObject, life: Life, shares: Sequence[str] = ("0", "0.25", "0.5", "1")) -> None:
    used = [lines for kind, lines in life.ledger if kind in {UsageKind.CONSUME, UsageKind.SETTLE}]
    if used:
        line = data.draw(st.sampled_from(data.draw(st.sampled_from(used))))
        history = [line, *life.corrections.get(id(line), ())]
        so_far = sum((each.amount for each in history), Decimal(0))
        share = Decimal(data.draw(st.sampled_from(shares)))
        done = life.correct(history, (so_far * share).quantize(PLACE))
        life.corrections.setdefault(id(line), []).append(done)


def _record(data: st.DataObject, life: Life) -> None:
    life.record(wanted(data.draw(fine), data.draw(st.sampled_from(DRAWING))))


def _record_late(data: st.DataObject, life: Life) -> None:
    life.record(wanted(data.draw(fine), "credits"), life.at - data.draw(spans))


def _switch(data: st.DataObject, life: Life) -> None:
    life.switch(data.draw(st.sampled_from(["pro", "basic"])), position=_position(data, life))


def _publish(data: st.DataObject, life: Life) -> None:
    key = data.draw(st.sampled_from(["pro", "basic", "free"]))
    number = len(life.catalogue.versions(key)) + 1
    life.publish(data.draw(plan_versions(key, plan_version=number, published_at=life.at)))


def _change_status(data: st.DataObject, life: Life) -> None:
    life.set_status(data.draw(STATUSES), position=_position(data, life))


def _position(data: st.DataObject, life: Life) -> int:
    return data.draw(st.integers(0, len(life.state.subscriptions) - 1))


_ACTS: dict[str, Callable[[st.DataObject, Life], None]] = {
    "consume": _consume,
    "reserve": _reserve,
    "settle": _settle,
    "settle more": lambda data, life: _settle(data, life, ("1", "2.5")),
    "release": _release,
    "wait": lambda data, life: life.wait(data.draw(spans), is_told=data.draw(st.sampled_from([True, True, False]))),
    "top up": lambda data, life: life.give(data.draw(grants(life.new_id("grant"), life.at))),
    "correct down": _correct,
    "correct up": lambda data, life: _correct(data, life, ("1.5", "2")),
    "record": _record,
    "record late": _record_late,
    "switch": _switch,
    "buy": lambda data, life: life.buy(data.draw(st.integers(0, 3))),
    "publish": _publish,
    "status": _change_status,
    "override": lambda data, life: life.decide(data.draw(overrides(life.new_id("ovr"), life.at, revoked=False))),
    "revoke": lambda data, life: life.decide(data.draw(overrides(life.new_id("ovr"), life.at, revoked=True))),
    "lift": lambda _, life: life.decide(),
}
