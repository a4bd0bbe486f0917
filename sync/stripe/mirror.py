"""The mirror of an object after a reading, and whether a reading may replace it. Pure."""

import msgspec

from app.domain.stripe_object import StripeObject, StripeSource
from sync.stripe.decode_facts import NORM_VERSION, decode_facts
from sync.stripe.progress import progress
from sync.stripe.readings import Phase, Reading


def is_newer(stored: StripeObject | None, reading: Reading) -> bool:
    """Tell whether the reading may replace the mirror; one that fetched it again, or was told of it later, may.

    Raises `DecodeError`.
    """
    if stored is None:
        return True
    if reading.source is StripeSource.FETCH:
        # read anew, by newer decoders, or because its parent has come: the very same word
        is_again = reading.fetch_sequence == stored.fetch_sequence and stored.raw == reading.raw
        return reading.fetch_sequence > stored.fetch_sequence or is_again
    reflected_at = stored.event_at or 0
    if stored.gone or reading.event_at < reflected_at:
        return False  # what was deleted never comes back
    if reading.event_at > reflected_at:
        return True
    if stored.source is StripeSource.FETCH:
        return False
    told = None if reading.gone else progress(decode_facts(reading.type, reading.raw, stored.facts))
    if told is not None and told != (known := progress(stored.facts)):
        return told > known
    # The very same word again: it was parked, or the process died before it could note that it was done.
    return reading.phase is not Phase.CREATED or reading.raw == stored.raw


def mirror_of(
    stored: StripeObject | None,
    reading: Reading,
    *,
    workspace_id: str | None = None,
    parked_under: tuple[str, ...] = (),
    is_read: bool = True,
) -> StripeObject:
    """Return the mirror after the reading; what is gone stays as it was last seen. Raises `DecodeError`."""
    before = stored or StripeObject(id=reading.id, type=reading.type, raw="", source=reading.source)
    is_told = is_read and not reading.gone
    facts = decode_facts(reading.type, reading.raw, before.facts) if is_told else before.facts
    return msgspec.structs.replace(
        before,
        type=reading.type,
        raw=before.raw if reading.gone and before.raw else reading.raw,
        facts=facts,
        source=reading.source,
        fetch_sequence=max(before.fetch_sequence, reading.fetch_sequence),
        event_at=max(before.event_at or 0, reading.event_at),
        api_version=reading.api_version or before.api_version,
        norm_version=NORM_VERSION,
        gone=reading.gone,
        workspace_id=workspace_id,
        parked_under=parked_under,
        deleted_at=None,
    )
