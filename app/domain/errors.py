"""What a caller can act on. Everything else is a bug and stays a bug.

BillingError
+-- ValidationError           the input breaks a rule; `fields` says which and how
+-- CatalogueFaultsError      the catalogue's file breaks rules; `faults` says where and which
+-- NotFoundError             no such resource, or none that this caller may see
+-- ConflictError             the record changed meanwhile, or its state forbids the command
+-- LimitExceededError        a line of a request of usage may not be used (in `consumption`)
+-- IdempotencyConflictError  the key was used with another input
+-- UnauthenticatedError      no credential, or one that is unknown, expired or revoked
+-- ForbiddenError            the credential lacks the scope
+-- NotReadyError             RAM was never loaded; ask again
+-- StripeRefusedError        Stripe refuses to tell, or there is no key to ask it with
+-- UnavailableError          the database did not answer within the deadline
"""

from collections.abc import Iterable
from typing import Final

import msgspec


class FieldError(msgspec.Struct, frozen=True):
    """One fault of an input: where it is, a stable code, and what to do about it."""

    path: tuple[str, ...]
    code: str
    message: str


_SHOWN: Final = 100
"""Characters of an id that a message repeats."""


class BillingError(Exception):
    """A refusal with a stable `code` and a message in one lower-case sentence."""

    code = "BILLING_ERROR"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ValidationError(BillingError):
    """The input breaks a rule.

    Attributes: `fields`, every fault found, not only the first.
    """

    code = "VALIDATION_FAILED"

    def __init__(self, fields: Iterable[FieldError]) -> None:
        self.fields = tuple(fields)
        super().__init__("; ".join(field.message for field in self.fields))

    @classmethod
    def of(cls, path: str, code: str, message: str) -> "ValidationError":
        """Build the error for a single fault; `path` is dotted."""
        return cls((FieldError(tuple(path.split(".")), code, message),))


class CatalogueFault(msgspec.Struct, frozen=True):
    """One fault of a catalogue's file: line and column count from 1, `path` leads to the key or value at fault."""

    line: int
    column: int
    path: tuple[str, ...]
    code: str
    message: str


class CatalogueFaultsError(BillingError):
    """The catalogue's file breaks rules.

    Attributes: `faults`, every one found in the whole file, in the order of the text.
    """

    code = "CATALOG_FAULTS"

    def __init__(self, faults: Iterable[CatalogueFault], *, file_name: str = "catalog.toml") -> None:
        self.faults = tuple(sorted(faults, key=lambda fault: (fault.line, fault.column)))
        first, others = self.faults[0], len(self.faults) - 1
        more = f" (and {others} more)" if others else ""
        super().__init__(f"{file_name}:{first.line}:{first.column}: {first.message}{more}")


class NotFoundError(BillingError):
    """No such resource, or none that the caller may see.

    Attributes: `resource` (a kind's word, "workspace"), `id`.
    """

    code = "NOT_FOUND"

    def __init__(self, resource: str, id: str) -> None:
        shown = id if len(id) <= _SHOWN else f"{id[:_SHOWN]}…"
        super().__init__(f"{resource} {shown!r} was not found")
        self.resource = resource
        self.id = id


class ConflictError(BillingError):
    """The record is not as the caller believed.

    Attributes: `current_version` (None where there is no record), `allowed_transitions` (statuses, may be empty).
    """

    code = "CONFLICT"

    def __init__(
        self, message: str, *, current_version: int | None = None, allowed_transitions: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message)
        self.current_version = current_version
        self.allowed_transitions = allowed_transitions


class IdempotencyConflictError(BillingError):
    """The idempotency key was used before, with another input.

    Attributes: `original_request_at` (epoch milliseconds).
    """

    code = "IDEMPOTENCY_CONFLICT"

    def __init__(self, original_request_at: int) -> None:
        super().__init__("this idempotencyKey was used with another input; send a new key")
        self.original_request_at = original_request_at


class UnauthenticatedError(BillingError):
    """No credential, or one that is unknown, expired or revoked. The message never says which."""

    code = "UNAUTHENTICATED"

    def __init__(self, message: str = "a valid API key is needed: Authorization: Bearer KEY") -> None:
        super().__init__(message)


class ForbiddenError(BillingError):
    """The credential is good and lacks the scope.

    Attributes: `needed`, any one of these scopes would do.
    """

    code = "FORBIDDEN"

    def __init__(self, needed: tuple[str, ...]) -> None:
        super().__init__(f"this API key lacks the scope; any of {', '.join(needed)} would do")
        self.needed = needed


class NotReadyError(BillingError):
    """RAM was never loaded, so nothing can be said."""

    code = "NOT_READY"

    def __init__(self) -> None:
        super().__init__("the service is still loading; ask again when /readyz answers 200")


class UnavailableError(BillingError):
    """The database did not answer within the deadline; whether a write happened is unknown: retry with the same key."""

    code = "UNAVAILABLE"

    def __init__(
        self, message: str = "the database did not answer in time; retry with the same idempotencyKey"
    ) -> None:
        super().__init__(message)


class StripeRefusedError(BillingError):
    """Stripe refuses to tell, or there is no key to ask it with. Asking again will not help."""

    code = "STRIPE_REFUSED"
