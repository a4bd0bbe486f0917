"""Charges, and the amounts that may be used."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.records import credit, drawing, feature

from app.domain.errors import ValidationError
from app.domain.faults import INPUT, refuse
from app.domain.plan import Feature, FeatureType, MeterType
from app.domain.usage import amount_faults, charge_of, share_of

CALLS = feature("api_calls")
SEATS = feature("seats", meter_type=MeterType.FLUCTUATING)
SSO = feature("sso", FeatureType.BOOLEAN)


@pytest.mark.parametrize(
    ("of", "amount"),
    [
        pytest.param(CALLS, "0", id="zero"),
        pytest.param(CALLS, "-1", id="incremental falls"),
        pytest.param(SEATS, "0", id="level does not move"),
        pytest.param(CALLS, "NaN", id="nan"),
        pytest.param(CALLS, "Infinity", id="infinite"),
        pytest.param(CALLS, "1E+15", id="too large"),
        pytest.param(SEATS, "-1E+15", id="too far down"),
        pytest.param(CALLS, "0.0000000001", id="too fine"),
        pytest.param(credit(), "-1", id="credits fall"),
        pytest.param(SSO, "1", id="not counted"),
    ],
)
def test_amounts_that_are_refused(of: Feature, amount: str) -> None:
    with pytest.raises(ValidationError):
        refuse(amount_faults(INPUT, of, Decimal(amount), signed=True))


@pytest.mark.parametrize(
    ("of", "amount"),
    [
        pytest.param(CALLS, "0.000000001", id="the least"),
        pytest.param(CALLS, "999999999999999.999999999", id="the most"),
        pytest.param(SEATS, "-3", id="a level falls"),
        pytest.param(drawing("chat", "0.1"), "2", id="draws on credits"),
    ],
)
def test_amounts_that_are_taken(of: Feature, amount: str) -> None:
    assert not tuple(amount_faults(INPUT, of, Decimal(amount), signed=True))


def test_a_level_falls_only_where_that_is_meant() -> None:
    assert tuple(amount_faults(INPUT, SEATS, Decimal(-3)))


@pytest.mark.parametrize(
    ("cost", "amount", "charge"),
    [
        pytest.param("1", "2.5", "2.5", id="one for one"),
        pytest.param("0.125", "3", "0.375", id="a fraction"),
        pytest.param("0.000000001", "0.5", "0.000000001", id="never less than the least there is"),
        pytest.param("1.000000001", "0.1", "0.100000001", id="rounded up at the ninth place"),
        pytest.param(
            "999999999999999.999999999",
            "999999999999999.999999999",
            "999999999999999999999998000000.000000001",
            id="exact however large",
        ),
    ],
)
def test_charges(cost: str, amount: str, charge: str) -> None:
    assert charge_of(drawing("chat", cost), Decimal(amount)) == Decimal(charge)


def test_what_has_no_cost_is_charged_as_it_is() -> None:
    assert (charge_of(CALLS, Decimal("1.5")), charge_of(SEATS, Decimal(-2))) == (Decimal("1.5"), -2)


nanos = st.integers(1, 10**15).map(lambda n: Decimal(n).scaleb(-9))


@given(nanos, nanos, nanos)
def test_using_in_parts_never_costs_less(cost: Decimal, one: Decimal, other: Decimal) -> None:
    chat = drawing("chat", str(cost))

    together, apart = charge_of(chat, one + other), charge_of(chat, one) + charge_of(chat, other)

    assert 0 <= apart - together <= Decimal("0.000000001")
    assert charge_of(chat, one) <= together


@given(nanos, nanos, nanos)
def test_a_part_costs_its_share_rounded_up(charge: Decimal, one: Decimal, other: Decimal) -> None:
    part, whole = sorted((one, other))

    cost = share_of(charge, part, whole)

    assert 0 <= Fraction(cost) - Fraction(charge) * Fraction(part) / Fraction(whole) < Fraction(1, 10**9)
    assert cost <= charge
    assert share_of(charge, whole, whole) == charge
    assert share_of(charge, Decimal(0), whole) == 0
