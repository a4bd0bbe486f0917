"""What use cases load first, where RAM lags behind or does not know."""

from support.clock import SequentialIds
from support.records import feature, workspace
from support.runtime import put, running, state_of

from app.services.loading import load_feature, load_workspace


async def test_a_fresh_load_brings_to_ram_what_another_replica_wrote(mongodb_uri: str, database: str) -> None:
    ids = SequentialIds()
    async with running(mongodb_uri, database, ids=ids) as here, running(mongodb_uri, database, ids=ids) as there:
        await put(here, workspace())
        assert await state_of(there, "ws_1") is not None
        await here.store.write((workspace(version=2, name="ACME"),), (), None)

        assert (await load_workspace(there, "ws_1")).name is None
        assert (await load_workspace(there, "ws_1", fresh=True)).name == "ACME"
        assert (await load_workspace(there, "ws_1")).name == "ACME"


async def test_a_feature_of_another_replica_is_found(mongodb_uri: str, database: str) -> None:
    ids = SequentialIds()
    async with running(mongodb_uri, database, ids=ids) as here, running(mongodb_uri, database, ids=ids) as there:
        await put(here, feature("api_calls"))

        assert (await load_feature(there, "api_calls")).key == "api_calls"
