"""Record what the clients were generated from, and what came of it; with --check tell where that has changed since.

Of the schema only what the operations reach counts, so that a field which no client asks for makes none of them stale.
"""

import sys
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from graphql import (
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLType,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    build_schema,
    get_named_type,
    parse,
    print_type,
    type_from_ast,
    visit,
)

ROOT: Final = Path(__file__).resolve().parents[2]
RECORD: Final = ROOT / "clients/fingerprints.txt"
SCHEMA: Final = "schema.graphql"
OPERATIONS: Final = "clients/operations.graphql"
SOURCES: Final = (OPERATIONS, "scripts/_clients/python/*.*", "scripts/_clients/typescript/*.*")
RESULTS: Final = ("clients/typescript/entitled.ts", "clients/python/entitled_client/*.*")


class _Reach(Visitor):
    """Collects what operations touch of a schema."""

    def __init__(self, schema: GraphQLSchema, info: TypeInfo) -> None:
        super().__init__()
        self.schema = schema
        self.info = info
        self.found: set[str] = set()

    def enter_field(self, *_: Any) -> None:
        parent, field = self.info.get_parent_type(), self.info.get_field_def()
        if parent and field:
            arguments = [f"{name}: {argument.type}" for name, argument in field.args.items()]
            self.found.add(f"{parent} {arguments} {field.type} {field.description}")
            self._add(field.type)

    def enter_variable_definition(self, node: Any, *_: Any) -> None:
        if type_ := type_from_ast(self.schema, node.type):
            self._add(type_)

    def _add(self, type_: GraphQLType) -> None:
        named = get_named_type(type_)
        if isinstance(named, GraphQLObjectType) or (text := print_type(named)) in self.found:
            return
        self.found.add(text)
        if isinstance(named, GraphQLInputObjectType):
            for field in named.fields.values():
                self._add(field.type)


def reached(schema_text: str, operations: str) -> str:
    """Return the part of a schema that the operations touch, in an order that does not depend on theirs."""
    schema = build_schema(schema_text)
    info = TypeInfo(schema)
    reach = _Reach(schema, info)
    visit(parse(operations), TypeInfoVisitor(info, reach))
    return "\n".join(sorted(reach.found))


def fingerprints() -> dict[str, str]:
    """Return a SHA-256 for each source and result, by path."""
    part = reached((ROOT / SCHEMA).read_text(), (ROOT / OPERATIONS).read_text())
    files = sorted(path for pattern in SOURCES + RESULTS for path in ROOT.glob(pattern) if path.is_file())
    return {SCHEMA: _digest(part.encode())} | {
        path.relative_to(ROOT).as_posix(): _digest(path.read_bytes()) for path in files
    }


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def _text(current: dict[str, str]) -> str:
    return "".join(f"{digest}  {name}\n" for name, digest in current.items())


def stale() -> list[str]:
    """Return the paths whose content is not what was recorded, gone and new ones too."""
    recorded = set(RECORD.read_text().splitlines()) if RECORD.exists() else set()
    return sorted({line.split()[1] for line in recorded ^ set(_text(fingerprints()).splitlines())})


if __name__ == "__main__":
    if sys.argv[1:] != ["--check"]:
        RECORD.write_text(_text(fingerprints()))
    elif changed := stale():
        sys.exit(f"The clients are stale, run scripts/clients. Changed: {', '.join(changed)}.")
