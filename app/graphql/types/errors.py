"""Refusals as union members: what a mutation answers instead of its payload."""

# ruff: noqa: ARG002  Strawberry calls every handler with the field and the info

import strawberry
from strawberry.types.field import StrawberryField

from app.domain import errors as domain
from app.graphql.permissions import follows
from app.graphql.scalars import DateTime


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
    directives=follows(), description="The idempotencyKey was used in the last 24 hours with another input."
)
class IdempotencyConflictError(UserError):
    original_request_at: DateTime = strawberry.field(description="When the key was used first.")


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


HANDLERS = (TranslateValidation(), TranslateNotFound(), TranslateConflict(), TranslateIdempotencyConflict())
