import pytest
from sandbox.stripe_account import Account

from app.sandbox.stripe.faults import Fault, Faults


@pytest.mark.parametrize(
    ("pattern", "matching"),
    [
        ("/v1/", ["/v1/customers", "/v1/customers/cus_1", "/v1/subscriptions/sub_1"]),
        ("/v1/customers", ["/v1/customers", "/v1/customers/cus_1"]),
        ("/v1/customers/*", ["/v1/customers/cus_1"]),
        ("*/sub_1", ["/v1/subscriptions/sub_1"]),
    ],
)
def test_a_path_is_a_beginning_or_a_pattern(pattern: str, matching: list[str]) -> None:
    paths = ["/v1/customers", "/v1/customers/cus_1", "/v1/subscriptions/sub_1"]

    assert [path for path in paths if Fault("status", path=pattern).matches("GET", path)] == matching


def test_rules_are_used_up_in_order_and_counted() -> None:
    faults = Faults()
    faults.add(Fault("status", status=429, times=2))
    faults.add(Fault("slow_read", method="GET"))

    met = [
        faults.take(*request) for request in [("GET", "/v1/x"), ("POST", "/v1/x"), ("POST", "/v1/x"), ("GET", "/v1/x")]
    ]

    assert [fault and fault.kind for fault in met] == ["status", "status", None, "slow_read"]
    assert faults.rules == ()
    assert faults.met == {"429": 2, "slow_read": 1}


def test_a_rule_without_number_holds_until_it_is_cleared() -> None:
    faults = Faults()
    faults.add(Fault("status", times=None))

    met = [faults.take("GET", "/v1/x") for _ in range(50)]
    faults.clear()

    assert None not in met
    assert faults.take("GET", "/v1/x") is None
    assert faults.met == {}


async def test_a_rate_limit_may_say_when_to_come_again(account: Account) -> None:
    await account.control("faults", {"kind": "status", "status": 429, "retryAfter": 7, "shouldRetry": True})
    await account.control("faults", {"kind": "status", "status": 429})

    polite, plain = [await account.http.get("/v1/customers") for _ in range(2)]

    assert (polite.headers["retry-after"], polite.headers["stripe-should-retry"]) == ("7", "true")
    assert not {"retry-after", "stripe-should-retry"} & set(plain.headers.keys())
    assert (await account.get("/_sandbox/faults")) == {"faults": [], "met": {"429": 2}}


async def test_a_rule_that_is_not_used_up_says_how_many_have_met_it(account: Account) -> None:
    told = await account.control("faults", {"kind": "slow_read", "method": "GET", "path": "/v1/*/cus_1", "times": 2})

    await account.get("/v1/customers/cus_1", status=404)

    assert told["faults"][0]["met"] == 0
    assert (await account.get("/_sandbox/faults"))["faults"][0]["met"] == 1


@pytest.mark.parametrize(
    "wrong", [{"times": 0}, {"status": 200}, {"method": "get"}, {"delayMs": -1}, {"retryAfter": -1}]
)
async def test_a_rule_that_cannot_be_is_refused(account: Account, wrong: dict[str, object]) -> None:
    await account.control("faults", {"kind": "status", **wrong}, status=400)
