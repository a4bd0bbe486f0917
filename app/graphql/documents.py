"""The road of an operation's text: parse, limits, validation, permissions; remembered while there is room."""

from typing import Final

import msgspec
from cachetools import LRUCache
from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationType,
    get_operation_ast,
    parse,
    specified_rules,
    validate,
)

from app.domain.api_key import Principal
from app.domain.errors import ForbiddenError
from app.graphql.errors import (
    BAD_USER_INPUT,
    LIMIT_EXCEEDED,
    PARSE_FAILED,
    VALIDATION_FAILED,
    RequestError,
    coded,
    refusal,
)
from app.graphql.limits import Limits, check_limits
from app.graphql.permissions import Needs, check, needs_of

MAX_VALIDATION_ERRORS: Final = 3
CACHED_CHARACTERS: Final = 1_000_000


class Operation(msgspec.Struct, frozen=True):
    """One operation that may run: parsed, within the limits, valid, and permitted to the principal."""

    text: str
    document: DocumentNode
    name: str | None
    type: OperationType


class Documents:
    """Valid documents by their text. The bound is in characters, so that long documents cannot fill the memory."""

    def __init__(self, schema: GraphQLSchema, limits: Limits | None = None) -> None:
        self._schema = schema
        self._limits = limits or Limits()
        self._valid: LRUCache[str, _Valid] = LRUCache(CACHED_CHARACTERS, getsizeof=lambda valid: len(valid.text))

    def operation(self, text: str, name: str | None, principal: Principal) -> Operation:
        """Return the operation, ready to be executed. Raises `RequestError`."""
        valid = self._look_up(text)
        node = get_operation_ast(valid.document, name)
        if node is None:
            problem = f"there is no operation named {name}" if name else "operationName must say which operation to run"
            raise RequestError([coded(BAD_USER_INPUT, problem)])
        if name not in valid.needs:
            valid.needs[name] = needs_of(self._schema, valid.document, node)
        try:
            check(principal, valid.needs[name])
        except ForbiddenError as error:
            raise RequestError([refusal(error)]) from error
        return Operation(text, valid.document, name, node.operation)

    def _look_up(self, text: str) -> "_Valid":
        if (held := self._valid.get(text)) is not None:
            return held
        document = _parsed(text, self._limits.tokens)
        if errors := check_limits(document, self._limits) or self._faults(document):
            raise RequestError(errors)
        valid = _Valid(text, document, {})
        if len(text) <= CACHED_CHARACTERS:
            self._valid[text] = valid
        return valid

    def _faults(self, document: DocumentNode) -> list[GraphQLError]:
        errors = validate(
            self._schema, document, specified_rules, max_errors=MAX_VALIDATION_ERRORS, hide_suggestions=True
        )
        return [coded(VALIDATION_FAILED, error.message, error.nodes) for error in errors[:MAX_VALIDATION_ERRORS]]


class _Valid(msgspec.Struct, frozen=True):
    """A valid document, and what each of its operations needs once it was asked for."""

    text: str
    document: DocumentNode
    needs: dict[str | None, Needs]


def _parsed(text: str, tokens: int) -> DocumentNode:
    """Parse. The parser recurses, so that nesting beyond Python's own limit is a refusal too."""
    try:
        return parse(text, max_lexical_tokens=tokens, max_comments=tokens)
    except GraphQLSyntaxError as error:
        code = LIMIT_EXCEEDED if "Parsing aborted" in error.message else PARSE_FAILED
        raise RequestError([_syntax_error(error, code)]) from error
    except RecursionError as error:
        raise RequestError([coded(LIMIT_EXCEEDED, "the document is nested too deeply")]) from error


def _syntax_error(error: GraphQLSyntaxError, code: str) -> GraphQLError:
    return GraphQLError(error.message, source=error.source, positions=error.positions, extensions={"code": code})
