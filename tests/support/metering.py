"""Usage over HTTP: replicas on one database, requests as callers send them, and the ledger added up."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
from support.service import Api, Service, api, make_workspace, running

PLAN = ""
"""Where what a plan gave is counted; what a grant gave is counted by the grant's id."""

ANSWERS = {
    "consume": "... on ConsumePayload { eventId replayed }",
    "reserve": "... on ReservationPayload { eventId replayed reservationId expiresAt }",
    "settle": "... on SettlePayload { eventId replayed }",
    "release": "... on ReleasePayload { eventId replayed }",
}
REFUSED = "... on LimitExceededError { line decision { entitlement { accessDeniedReason } } }"
LEDGER = """query($id: ID!, $after: String) { usageEvents(workspaceId: $id, first: 100, after: $after) {
    nodes { id kind reservationId expiresAt lines { featureKey amount charge draws { amount grantId } } }
    pageInfo { hasNextPage endCursor } } }"""
STANDING = """query($id: ID!, $key: String!) { checkEntitlement(input: { workspaceId: $id, featureKey: $key }) {
    entitlement { accessDeniedReason usage { used reserved limit remaining } grants { id amount remaining } } } }"""


@contextmanager
def replicas(
    mongodb_uri: str, database: str, directory: Path, count: int, **environment: str
) -> Iterator[list[Service]]:
    """Run so many processes on one database, which share the first one's key."""
    others: list[Service] = []
    with running(mongodb_uri, database, directory / "log-0", **environment) as first:
        try:
            for number in range(1, count):
                other = Service(mongodb_uri, database, directory / f"log-{number}", **environment)
                other.key = first.key
                others.append(other.start())
            yield [first, *(other.wait_until_ready() for other in others)]
        finally:
            for other in others:
                other.stop()


@asynccontextmanager
async def clients_of(services: Sequence[Service]) -> AsyncIterator[list[Api]]:
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(api(service)) for service in services]
        for client in clients:
            client.client.timeout = httpx.Timeout(15)
        yield clients


def lines(**amounts: str | int) -> list[dict[str, str]]:
    return [{"featureKey": key, "amount": str(amount)} for key, amount in amounts.items()]


class UnansweredError(Exception):
    """Whether the request was carried out is unknown: it has to be sent again with the same key."""


async def send(client: Api, name: str, **fields: Any) -> dict[str, Any]:
    """Send a mutation of usage; return the member of its union, whichever it is. Raises `UnansweredError`."""
    refused = REFUSED if name in ("consume", "reserve") else ""
    result = f"{{ __typename {ANSWERS[name]} {refused} ... on UserError {{ code message }} }}"
    document = f"mutation($input: {name[0].upper()}{name[1:]}Input!) {{ {name}(input: $input) {result} }}"
    try:
        answer = await client.client.post("/graphql", json={"query": document, "variables": {"input": fields}})
    except httpx.TransportError as error:
        raise UnansweredError from error
    body = answer.json()
    if {error["extensions"]["code"] for error in body.get("errors", ())} & {"UNAVAILABLE", "NOT_READY"}:
        raise UnansweredError(answer.text)
    assert "errors" not in body, body
    result: dict[str, Any] = body["data"][name]
    return result


async def insist(client: Api, name: str, **fields: Any) -> dict[str, Any]:
    """Send a mutation again and again until it is answered, as a caller on a busy machine has to."""
    while True:
        try:
            return await send(client, name, **fields)
        except UnansweredError:
            await asyncio.sleep(0.05)


def is_accepted(answer: dict[str, Any]) -> bool:
    return answer["__typename"].endswith("Payload")


def reason(answer: dict[str, Any]) -> str | None:
    """Return why it was refused; None where it was not."""
    return None if is_accepted(answer) else answer["decision"]["entitlement"]["accessDeniedReason"]


async def make_metered_catalogue(client: Api) -> None:
    """Make 200 API calls a month for everybody, the credits `ai`, and `images` at 2.5 of them."""
    made = "... on FeaturePayload { feature { id } }"
    await client.mutate("createFeature", made, key="api_calls", name="API calls", type="METERED")
    await client.mutate("createFeature", made, key="ai", name="AI credits", type="CREDIT")
    await client.mutate("createFeature", made, key="images", name="Images", type="CREDIT", creditKey="ai", cost="2.5")
    rows = [{"featureKey": "api_calls", "limit": "200", "resetPeriod": "MONTH"}]
    plan = {"key": "free", "name": "Free", "isDefault": True, "features": rows}
    await client.mutate("createPlan", "... on PlanPayload { plan { id } }", **plan)


async def make_funded_workspace(client: Api, name: str, *credits: int, key: str = "ai") -> str:
    """Make a workspace with a grant of each of these amounts; return our id of it."""
    workspace_id = await make_workspace(client, name)
    for amount in credits:
        grant = {"workspaceId": workspace_id, "featureKey": key, "amount": str(amount), "source": "TOP_UP"}
        await client.mutate("grantEntitlement", "... on GrantPayload { grant { id } }", **grant)
    return workspace_id


async def ledger(client: Api, workspace_id: str) -> list[dict[str, Any]]:
    """Return every entry of the workspace."""
    entries: list[dict[str, Any]] = []
    after: str | None = None
    while True:
        page = (await client.query(LEDGER, id=workspace_id, after=after))["usageEvents"]
        entries += page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            return entries
        after = page["pageInfo"]["endCursor"]


def added_up(
    entries: Sequence[dict[str, Any]], *features: str, at: str = ""
) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
    """Replay the ledger: what these features have used, and what is held back at `at`, by where it was taken from."""
    used: defaultdict[str, Decimal] = defaultdict(Decimal)
    held: defaultdict[str, Decimal] = defaultdict(Decimal)
    closed = {entry["reservationId"] for entry in entries if entry["kind"] in ("SETTLE", "RELEASE")}
    for entry in entries:
        match entry["kind"]:
            case "RESERVE":
                into = held if entry["reservationId"] not in closed and entry["expiresAt"] > at else None
            case "RELEASE":
                into = None
            case _:
                into = used
        for line in entry["lines"] if into is not None else ():
            for draw in line["draws"] if line["featureKey"] in features else ():
                into[draw["grantId"] or PLAN] += Decimal(draw["amount"])
    return dict(used), dict(held)


async def standing(client: Api, workspace_id: str, key: str) -> dict[str, Any]:
    """Return the usage and the grants of a check, as numbers."""
    found = (await client.query(STANDING, id=workspace_id, key=key))["checkEntitlement"]["entitlement"]
    usage = {name: Decimal(text) for name, text in (found["usage"] or {}).items() if text is not None}
    left = {grant["id"]: Decimal(grant["remaining"]) for grant in found["grants"] if grant["remaining"] is not None}
    return usage | {"left": left}
