"""A database in this process, for documents and queries where no server can run: no streams, no transactions."""

from typing import Any

from beanie import init_beanie
from mongomock_motor import AsyncMongoMockClient

from app.store.mongo import DOCUMENTS


async def mock_database() -> Any:
    """Give an empty database to which the document classes are bound."""
    database = AsyncMongoMockClient()["mock"]
    list_names = database.list_collection_names

    async def list_collection_names(**_options: Any) -> list[str]:
        return await list_names()  # the mock does not know the options that beanie gives

    database.list_collection_names = list_collection_names
    await init_beanie(database=database, document_models=[*DOCUMENTS], skip_indexes=True)
    return database
