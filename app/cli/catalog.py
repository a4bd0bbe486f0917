"""`entitled catalog`: the catalogue as a file."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from app.cli import options, output
from app.cli.client import Client, RefusedError
from app.cli.failure import CommandError, ExitCode
from app.cli.migrations import wait_for

app = typer.Typer(
    help="The catalogue as a file, catalog.toml: features, credits, plans and add-ons.", no_args_is_help=True
)

_APPLIED: Final = """
... on ApplyCatalogPayload {
  dryRun replayed
  changes { kind key action version moves fields { path before after } }
  migrations { id planKey planVersion total }
  unchanged { kind key } unmanaged { kind key }
}
... on CatalogFaultsError { faults { line column path code message } }
"""
_NOUNS: Final[Mapping[str, str]] = {
    "CREDIT_TYPE": "credits",
    "FEATURE": "feature",
    "PLAN": "plan",
    "ADD_ON": "add-on",
}
_SIGNS: Final[Mapping[str, str]] = {"CREATE": "+", "CHANGE": "~", "NEW_VERSION": "~", "ARCHIVE": "-", "RESTORE": "+"}
_STDIN: Final = Path("-")
_IMPORT_S: Final = 600

_Fields = dict[str, Any]
_File = Annotated[Path, typer.Argument(metavar="FILE", help="The catalogue's file, catalog.toml; - reads stdin.")]
_Target = Annotated[Path | None, typer.Argument(metavar="FILE", help="Where to write it. Default: stdout.")]
_Overwrite = Annotated[bool, typer.Option("--yes", "-y", help="Overwrite a file that exists, without asking.")]


@app.command("diff")
def diff(file: _File, as_json: options.Json = False) -> None:
    """Tell what applying the file would change; every fault of it with line and column. Needs CATALOG_WRITE."""
    planned = _send(Client.from_environment(), file, _read(file), None, dry_run=True, as_json=as_json)
    if as_json:
        output.result_json(planned)
    else:
        output.result(_describe(planned))


@app.command("apply")
def apply(
    file: _File,
    wait: Annotated[
        bool, typer.Option("--wait", help="Show the progress of migrations until all of them have ended.")
    ] = False,
    yes: options.Yes = False,
    idempotency_key: options.IdempotencyKey = None,
    as_json: options.Json = False,
) -> None:
    """Make the catalogue what the file says, all of it or nothing. Needs CATALOG_WRITE.

    What the file does not name is left alone. A changed plan gets a new version; who has it keeps theirs, unless the
    file says `migrate = true`.
    """
    client, source = Client.from_environment(), _read(file)
    planned = _send(client, file, source, None, dry_run=True, as_json=as_json)
    (output.note if as_json else output.result)(_describe(planned))
    if planned["changes"]:
        output.confirm("Apply it?", yes=yes)
    applied = _send(client, file, source, idempotency_key, dry_run=False, as_json=as_json)
    if as_json:
        output.result_json(applied)
    elif applied["changes"] != planned["changes"]:
        output.result(f"what was changed is not what was shown:\n{_describe(applied)}")
    elif applied["changes"]:
        output.result("applied")
    _follow(client, applied["migrations"], wait=wait)


@app.command("export")
def export(file: _Target = None, yes: _Overwrite = False) -> None:
    """Write the catalogue as a file that changes nothing where it is applied. Comments are not kept."""
    _write(Client.from_environment().query("{ catalogFile }")["catalogFile"], file, yes=yes)


@app.command("import")
def import_(
    from_stripe: Annotated[
        bool,
        typer.Option("--from-stripe", help="From the products, prices and features of the server's Stripe account."),
    ] = False,
    file: _Target = None,
    yes: _Overwrite = False,
) -> None:
    """Write a first file from what exists elsewhere. It changes nothing here: look at it, then apply it.

    Needs CATALOG_WRITE, and a server with STRIPE_SECRET_KEY. A large account takes minutes.
    """
    if not from_stripe:
        raise CommandError("say from where: --from-stripe", ExitCode.USAGE)
    found = Client.from_environment().query("{ stripeCatalogFile }", timeout_s=_IMPORT_S)
    _write(found["stripeCatalogFile"], file, yes=yes)


def _read(file: Path) -> str:
    try:
        content = sys.stdin.buffer.read() if file == _STDIN else file.read_bytes()
        return content.decode("utf-8-sig")
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}", ExitCode.USAGE) from error
    except UnicodeDecodeError as error:
        raise CommandError(
            f"{_told(file)} is not UTF-8: {error.reason} at byte {error.start + 1}", ExitCode.USAGE
        ) from error


def _told(file: Path) -> str:
    return "stdin" if file == _STDIN else str(file)


def _send(client: Client, file: Path, source: str, key: str | None, *, dry_run: bool, as_json: bool) -> _Fields:
    sent = {"source": source, "fileName": _told(Path(file.name)), "dryRun": dry_run}
    try:
        if dry_run:
            return client.mutate("applyCatalog", "ApplyCatalogInput", _APPLIED, {"idempotencyKey": "dry run", **sent})
        return client.change("applyCatalog", _APPLIED, key, **sent)
    except RefusedError as error:
        faults: list[_Fields] | None = error.answer.get("faults")
        if faults is None:
            raise
        if as_json:
            output.result_json({"faults": faults})
        for fault in faults:
            output.note(output.printable(f"{_told(file)}:{fault['line']}:{fault['column']}: {fault['message']}"))
        several = "s" if len(faults) > 1 else ""
        raise CommandError(f"{len(faults)} fault{several}; nothing was changed", ExitCode.NO) from error


def _write(text: str, file: Path | None, *, yes: bool) -> None:
    if file is None:
        output.result(text.removesuffix("\n"))
        return
    if file.exists():
        output.confirm(f"Overwrite {file}?", yes=yes)
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}", ExitCode.USAGE) from error


def _describe(applied: _Fields) -> str:
    changes, unmanaged = applied["changes"], applied["unmanaged"]
    lines = [line for change in changes for line in _lines(change)]
    lines.append(f"{len(changes) or 'nothing'} to change, {len(applied['unchanged'])} as the file says")
    if unmanaged:
        lines.append("not in the file and left alone:")
        lines += [f"    {line}" for line in _by_noun(unmanaged)]
    return output.printable("\n".join(lines))


def _lines(change: _Fields) -> Iterator[str]:
    yield f"{_SIGNS[change['action']]} {_name(change)}{_effect(change)}"
    for field in change["fields"]:
        path, before, after = field["path"], field["before"], field["after"]
        if before is None:
            yield f"    {path} = {after}"
        else:
            yield f"    {path} = {before} -> {after or 'nothing'}"


def _effect(change: _Fields) -> str:
    match change["action"]:
        case "NEW_VERSION" if change["moves"] is not None:
            return f": version {change['version']}, with {change['moves']} subscriptions moved to it"
        case "NEW_VERSION":
            return f": version {change['version']}; subscribers keep theirs"
        case "ARCHIVE":
            return ": archived"
        case "RESTORE":
            return ": offered again"
        case _:
            return ""


def _name(part: _Fields) -> str:
    return f"{_NOUNS[part['kind']]} {part['key']}"


def _by_noun(parts: Sequence[_Fields]) -> Iterator[str]:
    for kind, noun in _NOUNS.items():
        if keys := [part["key"] for part in parts if part["kind"] == kind]:
            yield f"{noun} {', '.join(keys)}"


def _follow(client: Client, migrations: Sequence[_Fields], *, wait: bool) -> None:
    for migration in migrations:
        id = migration["id"]  # noqa: A001 - the API's word
        if wait:
            wait_for(client, id)
        else:
            output.note(f"{id} moves the subscribers of {migration['planKey']}: `entitled migrations show {id} --wait`")
