"""`entitled keys`: API keys."""

import uuid
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from app.cli import output

app = typer.Typer(help="API keys. A credential is printed once, on stdout, when its key is made.", no_args_is_help=True)

_KEY = "id name scopes createdAt expiresAt revokedAt"
_LIST = f"query {{ apiKeys {{ {_KEY} }} }}"
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


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
    as_json: _Json = False,
) -> None:
    """Make a key. Needs the scope ADMIN."""
    from app.cli.client import Client

    ends = datetime.now(UTC) + timedelta(days=expires_in_days) if expires_in_days else None  # noqa: TID251 - the operator's own clock
    made = Client.from_environment().mutate(
        "createApiKey",
        "CreateApiKeyInput",
        f"... on CreateApiKeyPayload {{ credential apiKey {{ {_KEY} }} }}",
        {
            "idempotencyKey": str(uuid.uuid4()),
            "name": name,
            "scopes": list(dict.fromkeys(scope)),
            "expiresAt": ends.strftime("%Y-%m-%dT%H:%M:%SZ") if ends else None,
        },
    )
    if as_json:
        output.result_json({**made["apiKey"], "credential": made["credential"]})
        return
    output.note(f"{made['apiKey']['id']}. Keep the credential; it is not shown again.")
    output.result(made["credential"])


@app.command("list")
def list_keys(as_json: _Json = False) -> None:
    """List all keys, revoked ones too. Needs the scope ADMIN."""
    from app.cli.client import Client

    keys = Client.from_environment().query(_LIST)["apiKeys"]
    if as_json:
        output.result_json(keys)
        return
    rows = (
        (key["id"], key["name"], " ".join(key["scopes"]), key["createdAt"], key["expiresAt"], key["revokedAt"])
        for key in keys
    )
    output.table(("KEY", "NAME", "SCOPES", "CREATED", "EXPIRES", "REVOKED"), rows)


@app.command("revoke")
def revoke(key: Annotated[str, typer.Argument(metavar="KEY", help="The key's id, key_….")]) -> None:
    """End a key now, on open connections too. Needs the scope ADMIN."""
    from app.cli.client import Client

    ended = Client.from_environment().mutate(
        "revokeApiKey",
        "RevokeApiKeyInput",
        f"... on RevokeApiKeyPayload {{ apiKey {{ {_KEY} }} }}",
        {"idempotencyKey": str(uuid.uuid4()), "apiKeyId": key},
    )
    output.result(f"{key} ended at {ended['apiKey']['revokedAt']}")
