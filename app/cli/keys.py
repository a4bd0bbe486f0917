"""`entitled keys`: API keys."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from app.cli import options, output
from app.cli.client import Client
from app.cli.failure import CommandError, ExitCode

app = typer.Typer(help="API keys. A credential is printed once, on stdout, when its key is made.", no_args_is_help=True)

_KEY = "id name scopes createdAt expiresAt revokedAt"
_LIST = f"query {{ apiKeys {{ {_KEY} }} }}"
_COLUMNS: dict[str, output.Column] = {
    "KEY": "id",
    "NAME": "name",
    "SCOPES": lambda key: " ".join(key["scopes"]),
    "CREATED": "createdAt",
    "EXPIRES": "expiresAt",
    "REVOKED": "revokedAt",
}


class Scope(StrEnum):
    """What a key may do."""

    ENTITLEMENTS_READ = "ENTITLEMENTS_READ"
    USAGE_WRITE = "USAGE_WRITE"
    BILLING_READ = "BILLING_READ"
    BILLING_WRITE = "BILLING_WRITE"
    CATALOG_WRITE = "CATALOG_WRITE"
    OPERATOR = "OPERATOR"
    ADMIN = "ADMIN"


@app.command("bootstrap")
def bootstrap(
    name: Annotated[str, typer.Option(help="What to call the key.")] = "bootstrap",
    embedded: Annotated[
        bool, typer.Option("--embedded", help="In the embedded MongoDB that `serve --embedded` runs.")
    ] = False,
    data_dir: Annotated[Path | None, typer.Option(help="The embedded MongoDB's directory.")] = None,
) -> None:
    """Make the first ADMIN key, straight in MongoDB. Refused while there is one."""
    from app.cli import bootstrap_key

    key_id, credential = bootstrap_key.bootstrap(name, embedded=embedded, data_dir=data_dir)
    output.note(f"{key_id}, scope ADMIN: it makes other keys. Keep the credential; it is not shown again.")
    output.result(credential)


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What to call the key.")],
    scope: Annotated[list[Scope], typer.Option(case_sensitive=False, help="What it may do; may be given again.")],
    expires_in_days: Annotated[int | None, typer.Option(min=1, help="When it ends. Default: never.")] = None,
    idempotency_key: options.IdempotencyKey = None,
    as_json: options.Json = False,
) -> None:
    """Make a key. Needs the scope ADMIN."""
    made = Client.from_environment().change(
        "createApiKey",
        f"... on CreateApiKeyPayload {{ replayed credential apiKey {{ {_KEY} }} }}",
        idempotency_key,
        name=name,
        scopes=list(dict.fromkeys(scope)),
        expiresAt=options.days_from_now(expires_in_days) if expires_in_days else None,
    )
    key, credential = made["apiKey"], made["credential"]
    if as_json:
        output.result_json({**key, "credential": credential})
    elif credential is None:
        raise CommandError(f"the credential of {key['id']} was shown when it was made, and is not kept", ExitCode.NO)
    else:
        output.note(f"{key['id']}. Keep the credential; it is not shown again.")
        output.result(credential)


@app.command("list")
def list_keys(as_json: options.Json = False) -> None:
    """List all keys, revoked ones too. Needs the scope ADMIN."""
    output.records(Client.from_environment().query(_LIST)["apiKeys"], _COLUMNS, as_json=as_json)


@app.command("revoke")
def revoke(
    key: Annotated[str, typer.Argument(metavar="KEY", help="The key's id, key_….")],
    yes: options.Yes = False,
    idempotency_key: options.IdempotencyKey = None,
    as_json: options.Json = False,
) -> None:
    """End a key now, on open connections too. Needs the scope ADMIN."""
    output.confirm(f"End the API key {key}? Whoever uses it is refused from then on.", yes=yes)
    ended = Client.from_environment().change(
        "revokeApiKey",
        f"... on RevokeApiKeyPayload {{ replayed apiKey {{ {_KEY} }} }}",
        idempotency_key,
        apiKeyId=key,
    )["apiKey"]
    output.answer(ended, f"{key} ended at {ended['revokedAt']}", as_json=as_json)
