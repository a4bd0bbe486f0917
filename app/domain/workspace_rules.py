"""What a workspace's fields may hold."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from app.domain import ids
from app.domain.errors import FieldError
from app.domain.faults import INPUT, NAME_MAX, Path, fault, is_storable, text_faults
from app.domain.workspace import Address, BillingDetails, TaxId

METADATA_KEYS_MAX: Final = 50
METADATA_KEY_MAX: Final = 40
METADATA_VALUE_MAX: Final = 500
"""Stripe's own bounds (https://docs.stripe.com/metadata), so that what is kept here fits there."""
EMAIL_MAX: Final = 254
TAX_IDS_MAX: Final = 5

_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_TAX_ID_TYPE: Final = re.compile(r"[a-z]{2}_[a-z0-9_]{1,29}")
_ADDRESS_FIELDS: Final = (
    ("line1", "line1"),
    ("line2", "line2"),
    ("city", "city"),
    ("state", "state"),
    ("postalCode", "postal_code"),
)


def external_id_faults(external_id: str | None) -> Iterator[FieldError]:
    """Check a caller's own id; one that starts like ours could name two workspaces."""
    path = (*INPUT, "externalId")
    yield from text_faults(path, external_id)
    if external_id is not None and ids.prefix_of(external_id) == ids.WORKSPACE:
        yield fault(path, "RESERVED", "must not start with ws_, which our own ids start with")


def name_faults(name: str | None) -> Iterator[FieldError]:
    """Check a name for people."""
    yield from text_faults((*INPUT, "name"), name)


def email_faults(email: str | None) -> Iterator[FieldError]:
    """Check the shape of an e-mail address; whether it can be reached is for the mail server to say."""
    path = (*INPUT, "email")
    yield from text_faults(path, email, longest=EMAIL_MAX)
    if email and not _EMAIL.fullmatch(email):
        yield fault(path, "INVALID_FORMAT", "must look like name@example.com")


def metadata_faults(metadata: Mapping[str, str]) -> Iterator[FieldError]:
    """Check metadata: few, short, and with keys that MongoDB reads as plain names."""
    path = (*INPUT, "metadata")
    if len(metadata) > METADATA_KEYS_MAX:
        yield fault(path, "TOO_MANY", f"has {len(metadata)} keys; at most {METADATA_KEYS_MAX} are allowed")
    for key, value in metadata.items():
        yield from _metadata_key_faults(path, key)
        if value:
            yield from text_faults((*path, key), value, longest=METADATA_VALUE_MAX)


def _metadata_key_faults(path: Path, key: str) -> Iterator[FieldError]:
    if not 1 <= len(key) <= METADATA_KEY_MAX:
        yield fault(
            (*path, key), "TOO_LONG", f"has a key of {len(key)} characters; 1 to {METADATA_KEY_MAX} are allowed"
        )
    if key.startswith("$") or "." in key or not is_storable(key):
        yield fault((*path, key), "INVALID_CHARACTER", "has a key that starts with $ or holds a full stop or a NUL")


def billing_faults(billing: BillingDetails | None) -> Iterator[FieldError]:
    """Check what is to stand on an invoice."""
    if billing is None:
        return
    path = (*INPUT, "billing")
    yield from text_faults((*path, "legalName"), billing.legal_name)
    if billing.address is not None:
        yield from _address_faults((*path, "address"), billing.address)
    if len(billing.tax_ids) > TAX_IDS_MAX:
        yield fault((*path, "taxIds"), "TOO_MANY", f"has {len(billing.tax_ids)} entries; at most {TAX_IDS_MAX}")
    for position, tax_id in enumerate(billing.tax_ids):
        yield from _tax_id_faults((*path, "taxIds", str(position)), tax_id)


def _address_faults(path: Path, address: Address) -> Iterator[FieldError]:
    fields = msgspec.structs.asdict(address)
    for shown, name in _ADDRESS_FIELDS:
        yield from text_faults((*path, shown), fields[name])
    if address.country is not None and not _COUNTRY.fullmatch(address.country):
        yield fault((*path, "country"), "INVALID_FORMAT", "must be two capital letters, as in ISO 3166-1")


def _tax_id_faults(path: Path, tax_id: TaxId) -> Iterator[FieldError]:
    if not _TAX_ID_TYPE.fullmatch(tax_id.type):
        yield fault((*path, "type"), "INVALID_FORMAT", "must be one of Stripe's types, such as eu_vat")
    yield from text_faults((*path, "value"), tax_id.value, longest=NAME_MAX)
