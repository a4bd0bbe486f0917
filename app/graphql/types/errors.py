"""Refusals as union members: what a mutation answers instead of its payload."""

# ruff: noqa: ARG002  Strawberry calls every handler with the field and the info

from collections.abc import Mapping
from typing import Any, Final

import strawberry
from strawberry.types.field import StrawberryField

from app.domain import consumption
from app.domain import errors as domain
from app.graphql.permissions import follows
from app.graphql.scalars import DateTime
from app.graphql.types.entitlement import EntitlementDecision

FAULTS_MAX: Final = 1_000


@strawberry.interface(description="A refusal that the caller can act on. Match on `code`, show `message`.")
class UserError:
    code: str = strawberry.field(description="Stable; `message` may change.")
    message: str = strawberry.field(description="One sentence in lower case.")
    path: list[str] | None = strawberry.field(description="The input field at fault, where there is exactly one.")


@strawberry.type(directives=follows(), description="One fault of an input.")
class FieldError:
    path: list[str] = strawberry.field(description="The input field, from the outside in.")
    code: str = strawberry.field(description="Stable; `message` may change.")
    message: str = strawberry.field(description="What to do about it.")


@strawberry.type(directives=follows(), description="The input breaks a rule. Nothing was changed.")
class ValidationError(UserError):
    fields: list[FieldError] = strawberry.field(description="Every fault found, not only the first.")


@strawberry.type(
    directives=follows(), description="Something that the input names does not exist. Nothing was changed."
)
class NotFoundError(UserError):
    resource: str = strawberry.field(description="What was looked for: `workspace`, `plan`, …")
    id: strawberry.ID | None = strawberry.field(description="The id or key it was looked for by.")


@strawberry.type(
    directives=follows(), description="The record is not as the caller believed. Nothing was changed; read it again."
)
class ConflictError(UserError):
    current_version: str | None = strawberry.field(
        description="The record's version now; null where it does not exist."
    )
    allowed_transitions: list[str] = strawberry.field(description="What its status may become; often empty.")


@strawberry.type(
    directives=follows(),
    description="The idempotencyKey was used before with another input: take a fresh one for another request.",
)
class IdempotencyConflictError(UserError):
    original_request_at: DateTime = strawberry.field(description="When the key was used first.")


@strawberry.type(
    directives=follows(),
    description="One line may not be used, for lack of a plan, of room or of credits. Nothing was taken.",
)
class LimitExceededError(UserError):
    line: int = strawberry.field(description="Which of the lines, counted from 0.")
    decision: EntitlementDecision = strawberry.field(description="The check of that line, with the reason.")


@strawberry.type(directives=follows(), description="One fault of a catalogue's file.")
class CatalogFault:
    line: int = strawberry.field(description="From 1.")
    column: int = strawberry.field(description="From 1, in characters: where the key or value at fault starts.")
    path: list[str] = strawberry.field(
        description="Keys from the outside in, positions in lists as digits. Empty where the text is no TOML."
    )
    code: str = strawberry.field(description="Stable; `message` may change.")
    message: str = strawberry.field(description="What is wrong, and what to do about it.")

    @classmethod
    def from_domain(cls, fault: domain.CatalogueFault) -> "CatalogFault":
        """Translate."""
        return cls(line=fault.line, column=fault.column, path=list(fault.path), code=fault.code, message=fault.message)


@strawberry.type(
    directives=follows(), description="The catalogue's file breaks rules or is no TOML. Nothing was changed."
)
class CatalogFaultsError(UserError):
    faults: list[CatalogFault] = strawberry.field(
        description=(
            f"Every fault of the whole file, up to {FAULTS_MAX}, in the order of the text; of text that is no TOML the "
            "first."
        )
    )


class TranslateValidation(strawberry.ExceptionHandler[domain.ValidationError, ValidationError]):
    """Domain to union member."""

    def handle(
        self, exception: domain.ValidationError, *, field: StrawberryField, info: strawberry.Info
    ) -> ValidationError:
        faults = [FieldError(path=list(f.path), code=f.code, message=f.message) for f in exception.fields]
        path = faults[0].path if len(faults) == 1 else None
        return ValidationError(code=exception.code, message=exception.message, path=path, fields=faults)


class TranslateNotFound(strawberry.ExceptionHandler[domain.NotFoundError, NotFoundError]):
    """Domain to union member."""

    def handle(
        self, exception: domain.NotFoundError, *, field: StrawberryField, info: strawberry.Info
    ) -> NotFoundError:
        return NotFoundError(
            code=exception.code,
            message=exception.message,
            path=None,
            resource=exception.resource,
            id=strawberry.ID(exception.id),
        )


class TranslateConflict(strawberry.ExceptionHandler[domain.ConflictError, ConflictError]):
    """Domain to union member."""

    def handle(
        self, exception: domain.ConflictError, *, field: StrawberryField, info: strawberry.Info
    ) -> ConflictError:
        version = exception.current_version
        return ConflictError(
            code=exception.code,
            message=exception.message,
            path=None,
            current_version=None if version is None else str(version),
            allowed_transitions=list(exception.allowed_transitions),
        )


class TranslateIdempotencyConflict(
    strawberry.ExceptionHandler[domain.IdempotencyConflictError, IdempotencyConflictError]
):
    """Domain to union member."""

    def handle(
        self, exception: domain.IdempotencyConflictError, *, field: StrawberryField, info: strawberry.Info
    ) -> IdempotencyConflictError:
        return IdempotencyConflictError(
            code=exception.code,
            message=exception.message,
            path=["input", "idempotencyKey"],
            original_request_at=DateTime(exception.original_request_at),
        )


class TranslateLimitExceeded(strawberry.ExceptionHandler[consumption.LimitExceededError, LimitExceededError]):
    """Domain to union member."""

    def handle(
        self, exception: consumption.LimitExceededError, *, field: StrawberryField, info: strawberry.Info
    ) -> LimitExceededError:
        return LimitExceededError(
            code=exception.code,
            message=exception.message,
            path=["input", "lines", str(exception.line)],
            line=exception.line,
            decision=EntitlementDecision.of(exception.answer, exception.question),
        )


class TranslateCatalogFaults(strawberry.ExceptionHandler[domain.CatalogueFaultsError, CatalogFaultsError]):
    """Domain to union member."""

    def handle(
        self, exception: domain.CatalogueFaultsError, *, field: StrawberryField, info: strawberry.Info
    ) -> CatalogFaultsError:
        return CatalogFaultsError(
            code=exception.code,
            message=exception.message,
            path=["input", "source"],
            faults=[CatalogFault.from_domain(fault) for fault in exception.faults[:FAULTS_MAX]],
        )


_HANDLERS: Final[Mapping[type[domain.BillingError], Any]] = {
    domain.ValidationError: TranslateValidation(),
    domain.CatalogueFaultsError: TranslateCatalogFaults(),
    domain.NotFoundError: TranslateNotFound(),
    domain.ConflictError: TranslateConflict(),
    domain.IdempotencyConflictError: TranslateIdempotencyConflict(),
    consumption.LimitExceededError: TranslateLimitExceeded(),
}
HANDLERS: Final = tuple(_HANDLERS.values())


def refusal_of(error: domain.BillingError) -> Any:
    """Return the union member for an error, where no handler can: in lists. Raises the error where there is none."""
    handler = _HANDLERS.get(type(error))
    if handler is None:
        raise error
    return handler.handle(error, field=None, info=None)
