"""Fields of a workspace that are refused, and why."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from app.domain.errors import FieldError
from app.domain.workspace import Address, BillingDetails, TaxId
from app.domain.workspace_rules import billing_faults, email_faults, external_id_faults, metadata_faults

Check = Callable[[Any], Iterable[FieldError]]


@pytest.mark.parametrize(
    ("check", "good"),
    [
        pytest.param(external_id_faults, "org-42", id="external id"),
        pytest.param(external_id_faults, "wsx_1", id="external id with another prefix"),
        pytest.param(email_faults, "a.b+c@mail.example.com", id="e-mail"),
        pytest.param(email_faults, None, id="no e-mail"),
        pytest.param(metadata_faults, {"a b": "", "c": "x" * 500}, id="metadata"),
        pytest.param(
            billing_faults,
            BillingDetails(
                legal_name="ACME", address=Address(city="Köln", country="DE"), tax_ids=(TaxId("eu_vat", "DE1"),)
            ),
            id="billing",
        ),
    ],
)
def test_what_is_allowed(check: Check, good: object) -> None:
    assert list(check(good)) == []


@pytest.mark.parametrize(
    ("check", "bad", "fault"),
    [
        pytest.param(external_id_faults, "", ("input.externalId", "EMPTY"), id="empty external id"),
        pytest.param(external_id_faults, "x" * 256, ("input.externalId", "TOO_LONG"), id="long external id"),
        pytest.param(external_id_faults, "ws_1", ("input.externalId", "RESERVED"), id="external id like ours"),
        pytest.param(email_faults, "nobody", ("input.email", "INVALID_FORMAT"), id="no at sign"),
        pytest.param(email_faults, "a@b@example.com", ("input.email", "INVALID_FORMAT"), id="two at signs"),
        pytest.param(email_faults, "a b@example.com", ("input.email", "INVALID_FORMAT"), id="a blank"),
        pytest.param(metadata_faults, {"$set": "1"}, ("input.metadata.$set", "INVALID_CHARACTER"), id="operator"),
        pytest.param(metadata_faults, {"a.b": "1"}, ("input.metadata.a.b", "INVALID_CHARACTER"), id="full stop"),
        pytest.param(metadata_faults, {"": "1"}, ("input.metadata.", "TOO_LONG"), id="empty key"),
        pytest.param(metadata_faults, {"a": "x" * 501}, ("input.metadata.a", "TOO_LONG"), id="long value"),
        pytest.param(metadata_faults, {"a": "\x00"}, ("input.metadata.a", "INVALID_CHARACTER"), id="nul in a value"),
        pytest.param(
            metadata_faults, {str(n): "" for n in range(51)}, ("input.metadata", "TOO_MANY"), id="too many keys"
        ),
        pytest.param(
            billing_faults,
            BillingDetails(address=Address(country="Germany")),
            ("input.billing.address.country", "INVALID_FORMAT"),
            id="country in words",
        ),
        pytest.param(
            billing_faults,
            BillingDetails(tax_ids=(TaxId("VAT", "DE1"),)),
            ("input.billing.taxIds.0.type", "INVALID_FORMAT"),
            id="tax id type",
        ),
        pytest.param(
            billing_faults,
            BillingDetails(address=Address(postal_code="")),
            ("input.billing.address.postalCode", "EMPTY"),
            id="empty postal code",
        ),
    ],
)
def test_what_is_refused(check: Check, bad: object, fault: tuple[str, str]) -> None:
    assert [(".".join(found.path), found.code) for found in check(bad)] == [fault]
