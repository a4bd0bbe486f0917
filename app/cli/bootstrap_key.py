"""The first API key, straight in MongoDB: the one thing that the API cannot do for itself."""

import asyncio
from contextlib import ExitStack
from pathlib import Path

from app.cli.configuration import default_data_dir, read_settings
from app.cli.failure import CommandError, ExitCode
from app.cli.service import embedded_mongodb
from app.domain.errors import ConflictError, UnavailableError, ValidationError
from app.gateways.clock import SystemClock, Uuid7Ids
from app.services.api_keys import bootstrap_key
from app.store.mongo import Mongo, SetupError
from app.store.records import MongoStore


def bootstrap(name: str, *, embedded: bool, data_dir: Path | None) -> tuple[str, str]:
    """Return the new ADMIN key's id and credential."""
    settings = read_settings()
    with ExitStack() as started:
        if embedded:
            uri = started.enter_context(embedded_mongodb(data_dir or default_data_dir()))
        elif settings.mongodb_uri is None:
            problem = (
                "MONGODB_URI is not set; it names the database that serve uses. Beside `serve --embedded`: --embedded"
            )
            raise CommandError(problem, ExitCode.CONFIGURATION)
        else:
            uri = settings.mongodb_uri.get_secret_value()
        mongo = Mongo(uri, settings.mongodb_database, timeout_s=settings.mongodb_timeout_s)
        try:
            return asyncio.run(make_key(mongo, name))
        except UnavailableError as error:
            raise CommandError(str(error), ExitCode.UNREACHABLE) from None
        except SetupError as error:
            raise CommandError(str(error), ExitCode.CONFIGURATION) from None
        except ValidationError as error:
            raise CommandError(f"--name {error}", ExitCode.USAGE) from None
        except ConflictError as error:
            raise CommandError(str(error), ExitCode.NO) from None


async def make_key(mongo: Mongo, name: str) -> tuple[str, str]:
    """Make the first ADMIN key and close the clients; return its id and credential."""
    try:
        await mongo.open(with_indexes=False)
        store = MongoStore(mongo, on_malformed=lambda _error: None)
        key, credential = await bootstrap_key(store, Uuid7Ids(), SystemClock(), name)
        return key.id, credential
    finally:
        await mongo.close()
