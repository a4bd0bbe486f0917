"""`entitled usage reserve`, `settle` and `release`: usage whose amount is known later."""

from typing import Annotated, Final

import typer

from app.cli import lines, options, output
from app.cli.client import Client, RefusedError

_RESERVED: Final = f"""
  ... on ReservationPayload {{ replayed eventId reservationId expiresAt decisions {{ {lines.DECISION} }} }}
  {lines.REFUSED}
"""
_SETTLED: Final = f"... on SettlePayload {{ replayed eventId decisions {{ {lines.DECISION} }} }}"
_RELEASED: Final = f"... on ReleasePayload {{ replayed eventId decisions {{ {lines.DECISION} }} }}"
_TTL_S: Final = 300
_LONGEST_TTL_S: Final = 604_800

_Reservation = Annotated[str, typer.Argument(metavar="RESERVATION", help="The reservation's id, rsv_….")]


def reserve(
    workspace: options.Workspace,
    wanted: lines.Lines,
    ttl: Annotated[
        int,
        typer.Option(
            min=1, max=_LONGEST_TTL_S, metavar="SECONDS", help="After so many seconds all of it returns by itself."
        ),
    ] = _TTL_S,
    idempotency_key: options.IdempotencyKey = None,
    as_json: options.Json = False,
) -> None:
    """Hold features back, all or none, and print the reservation's id. Exit code 1 on a denial. Needs USAGE_WRITE."""
    amounts = [lines.read(line) for line in wanted]
    try:
        held = Client.from_environment().change(
            "reserve",
            _RESERVED,
            idempotency_key,
            workspaceId=workspace,
            lines=lines.sent(amounts),
            ttlSeconds=ttl,
        )
    except RefusedError as refused:
        raise lines.end_denied("held back", workspace, wanted, refused, as_json=as_json) from None
    answer = {name: held[name] for name in ("eventId", "reservationId", "expiresAt", "decisions")}
    output.answer(answer, held["reservationId"], as_json=as_json)
    if not as_json:
        output.note(f"held back until {held['expiresAt']}, for `entitled usage settle` or `release`")


def settle(
    reservation: _Reservation,
    actual: Annotated[
        list[str] | None,
        typer.Argument(
            metavar=lines.WHOLE_LINE,
            help="What was really used, also more than was held back; a feature that is left out was not used. "
            "Default: all that was held back.",
        ),
    ] = None,
    idempotency_key: options.IdempotencyKey = None,
    as_json: options.Json = False,
) -> None:
    """Use what was really used of a reservation; the rest returns to where it came from. Needs USAGE_WRITE."""
    amounts = [lines.read_whole(line) for line in actual or ()]
    settled = Client.from_environment().change(
        "settle",
        _SETTLED,
        idempotency_key,
        reservationId=reservation,
        actual=lines.sent(amounts) if amounts else None,
    )
    answer = {"eventId": settled["eventId"], "decisions": settled["decisions"]}
    output.answer(answer, f"{reservation} is settled", as_json=as_json)


def release(
    reservation: _Reservation,
    idempotency_key: options.IdempotencyKey = None,
    as_json: options.Json = False,
) -> None:
    """Give all of a reservation back to where it came from. Needs the scope USAGE_WRITE."""
    released = Client.from_environment().change("release", _RELEASED, idempotency_key, reservationId=reservation)
    answer = {"eventId": released["eventId"], "decisions": released["decisions"]}
    output.answer(answer, f"{reservation} is released", as_json=as_json)
