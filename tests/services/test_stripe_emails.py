"""Linking by e-mail, from the store's customers and RAM's workspaces."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.records import workspace
from support.runtime import ADMIN, fakes_of, put, running

from app.domain.change import Kind
from app.domain.errors import ValidationError
from app.domain.stripe_facts import CustomerFacts
from app.domain.stripe_object import LinkedBy, StripeObject, StripeSource
from app.runtime import Runtime
from app.services.stripe_emails import LinkByEmailInput, link_by_email


@pytest.fixture
async def rt(mongodb_uri: str, database: str) -> AsyncIterator[Runtime]:
    async with running(mongodb_uri, database) as rt:
        await put(
            rt,
            workspace("ws_1", email="A@x.io"),
            workspace("ws_2", email="b@x.io"),
            workspace("ws_3", email="b@x.io"),
            workspace("ws_4", email="c@x.io", archived_at=1),
            workspace("ws_5"),
        )
        customers = [
            customer("cus_a", "a@X.io"),
            customer("cus_b", "b@x.io"),
            customer("cus_c", "c@x.io"),
            customer("cus_d", None),
            customer("cus_gone", "a@x.io", gone=True),
            customer("price_1", "a@x.io", type="price"),
        ]
        await rt.store.write(customers, (), None)
        yield rt


def customer(id: str, email: str | None, **fields: Any) -> StripeObject:
    given = {"version": 1, "incarnation": "i", "type": "customer", "raw": "{}", "source": StripeSource.FETCH}
    return StripeObject(**{"id": id, "facts": CustomerFacts(email=email), **given, **fields})


def asked(key: str = "k", *, dry_run: bool = False) -> LinkByEmailInput:
    return LinkByEmailInput(idempotency_key=key, dry_run=dry_run)


async def owners(rt: Runtime) -> dict[str, str | None]:
    mirrors = await rt.store.read(Kind.STRIPE_OBJECT, ["cus_a", "cus_b", "cus_c", "cus_d", "cus_gone"])
    return {name: one.workspace_id for name, one in mirrors.items() if isinstance(one, StripeObject)}


async def test_what_is_unique_is_linked_and_the_rest_is_told(rt: Runtime) -> None:
    dry = await link_by_email(rt, ADMIN, asked(dry_run=True))
    assert set((await owners(rt)).values()) == {None}
    done = await link_by_email(rt, ADMIN, asked())

    assert (done.linked, done.left, done.ambiguous, done.unmatched) == (1, 0, 1, 2)
    assert dry == done
    assert [(one.email, one.workspace_ids) for one in done.ambiguities] == [("b@x.io", ("ws_2", "ws_3"))]
    assert await owners(rt) == {"cus_a": "ws_1", "cus_b": None, "cus_c": None, "cus_d": None, "cus_gone": None}
    mirror = (await rt.store.read(Kind.STRIPE_OBJECT, ["cus_a"]))["cus_a"]
    assert isinstance(mirror, StripeObject)
    assert mirror.linked_by is LinkedBy.OPERATOR
    assert fakes_of(rt).inbox.released == ["cus_a"]


async def test_again_it_finds_nothing_and_the_same_request_is_answered_as_then(rt: Runtime) -> None:
    first = await link_by_email(rt, ADMIN, asked())

    again = await link_by_email(rt, ADMIN, asked())
    later = await link_by_email(rt, ADMIN, asked("later"))

    assert (first.replayed, again.replayed, again.linked) == (False, True, 1)
    assert (later.linked, later.ambiguous) == (0, 1)
    with pytest.raises(ValidationError):
        await link_by_email(rt, ADMIN, asked(""))


async def test_more_than_one_transaction_takes_are_linked(rt: Runtime) -> None:
    await put(rt, *(workspace(f"ws_m{n}", email=f"m{n}@x.io") for n in range(250)))
    await rt.store.write([customer(f"cus_m{n}", f"M{n}@x.io") for n in range(250)], (), None)

    done = await link_by_email(rt, ADMIN, asked())

    assert (done.linked, done.left, done.refused) == (251, 0, ())
    assert rt.cache.workspace_of_customer("cus_m249") == "ws_m249"
