import pytest
from support.clock import FrozenClock
from support.records import NOW, feature, grant, item, override, plan, sub, workspace

from app.cache.cache import BillingCache
from app.cache.feed import Feed, Subscriber
from app.domain.api_key import ApiKey
from app.domain.change import Kind, Outcome, Record, Source, Tombstone
from app.domain.stripe_object import StripeObject, StripeSource
from app.domain.subscription import SubscriptionStatus
from app.domain.usage import Balance


@pytest.fixture
def cache() -> BillingCache:
    return BillingCache(feed=Feed(), clock=FrozenClock(), default_plan_key="free")


def fill(cache: BillingCache, *records: Record | Tombstone, source: Source = Source.STREAM) -> list[Outcome]:
    return [cache.apply(record, source=source) for record in records]


def balance(version: int = 1) -> Balance:
    return Balance(id="ws_1", version=version, incarnation="i")


def key(version: int = 1, **fields: object) -> ApiKey:
    record = ApiKey(id="key_1", name="ci", secret_hash="00", scopes=(), version=version, incarnation="i")
    return record if not fields else ApiKey(**{**{n: getattr(record, n) for n in record.__struct_fields__}, **fields})


def test_state_holds_all_that_the_workspace_owns_and_the_sum_of_versions(cache: BillingCache) -> None:
    fill(cache, grant(version=2), sub(version=3), sub("sub_2"), override(version=4), balance(5), workspace(version=6))
    fill(cache, sub("sub_other", workspace_id="ws_2"))

    state = cache.state("ws_1")

    assert state is not None
    assert {s.id for s in state.subscriptions} == {"sub_1", "sub_2"}
    assert (len(state.grants), len(state.overrides), state.balance) == (1, 1, balance(5))
    assert state.version == 2 + 3 + 1 + 4 + 5 + 6


def test_state_is_the_same_object_until_something_of_it_changes(cache: BillingCache) -> None:
    fill(cache, workspace(), workspace("ws_2"))
    before, other = cache.state("ws_1"), cache.state("ws_2")
    fill(cache, workspace(), sub("sub_other", workspace_id="ws_2"))
    assert cache.state("ws_1") is before
    assert cache.state("ws_2") is not other

    fill(cache, balance())

    assert cache.state("ws_1") is not before


def test_owned_records_may_arrive_before_their_workspace(cache: BillingCache) -> None:
    fill(cache, sub(), grant())
    assert cache.state("ws_1") is None

    fill(cache, workspace())

    state = cache.state("ws_1")
    assert state is not None
    assert (len(state.subscriptions), len(state.grants)) == (1, 1)


def test_version_never_falls(cache: BillingCache) -> None:
    seen = []
    for change in (
        workspace(version=3),
        sub(version=5),
        sub(version=6, deleted_at=NOW),
        grant(version=7),
        Tombstone(Kind.GRANT, "grant_1"),
        grant(version=1, incarnation="again"),
        sub(version=1, incarnation="again"),
        sub(version=2, incarnation="again", workspace_id="ws_2"),
    ):
        fill(cache, change)
        state = cache.state("ws_1")
        assert state is not None
        seen.append(state.version)
    cache.apply(workspace(version=2), source=Source.SCAN, authoritative=True)
    repaired = cache.state("ws_1")

    assert seen == sorted(seen)
    assert seen[:4] == [3, 8, 9, 16]
    assert repaired is not None
    assert repaired.version >= seen[-1]


def test_deleted_workspace_is_gone_and_comes_back_with_what_it_owns(cache: BillingCache) -> None:
    fill(cache, workspace(version=1, external_id="acme"), sub())
    fill(cache, workspace(version=2, deleted_at=NOW))
    assert cache.state("ws_1") is None
    assert cache.workspace_id("ws_1") is None
    assert cache.workspace_id("acme") is None

    fill(cache, workspace(version=3))

    state = cache.state("ws_1")
    assert state is not None
    assert [s.id for s in state.subscriptions] == ["sub_1"]


def test_indexes_follow_changes(cache: BillingCache) -> None:
    fill(cache, workspace("ws_1", external_id="old", stripe_customer_id="cus_1"), workspace("ws_2"))
    fill(cache, workspace("ws_1", version=2, external_id="new"))
    fill(cache, workspace("ws_2", version=2, external_id="old", stripe_customer_id="cus_1"))

    assert (cache.workspace_id("new"), cache.workspace_id("old")) == ("ws_1", "ws_2")
    assert cache.workspace_of_customer("cus_1") == "ws_2"
    assert cache.workspace_id("nobody") is None
    assert cache.workspace_of_customer("cus_2") is None


def test_our_id_goes_before_an_external_id(cache: BillingCache) -> None:
    fill(cache, workspace("ws_1"), workspace("ws_2", external_id="ws_1"))

    assert cache.workspace_id("ws_1") == "ws_1"


def test_subscription_that_moves_is_with_its_new_workspace_only(cache: BillingCache) -> None:
    fill(cache, workspace("ws_1"), workspace("ws_2"), sub())
    assert cache.state("ws_1") is not None

    with cache.feed.subscribe("ws_1") as old, cache.feed.subscribe("ws_2") as new:
        fill(cache, sub(version=2, workspace_id="ws_2"))
        dirty = old._dirty.is_set(), new._dirty.is_set()

    before, after = cache.state("ws_1"), cache.state("ws_2")
    assert before is not None
    assert after is not None
    assert (before.subscriptions, len(after.subscriptions)) == ((), 1)
    assert dirty == (True, True)


def test_catalogue_is_built_anew_only_when_it_changed(cache: BillingCache) -> None:
    fill(cache, plan("free"), plan("pro"), feature("api_calls"))
    before = cache.catalogue()
    fill(cache, plan("pro"), workspace())
    assert cache.catalogue() is before
    default = before.default_plan()
    assert default is not None
    assert default.key == "free"

    fill(cache, Tombstone(Kind.PLAN, "plan_free_1"))

    assert cache.catalogue() is not before
    assert cache.catalogue().default_plan() is None


def test_unmapped_prices_are_those_of_subscriptions_that_are_not_over(cache: BillingCache) -> None:
    fill(cache, plan("pro"))
    fill(cache, sub("sub_1", SubscriptionStatus.ACTIVE, item("pro"), item("x", price_id="price_x", lookup_key=None)))
    fill(cache, sub("sub_2", SubscriptionStatus.CANCELED, item("y", price_id="price_y", lookup_key=None)))
    assert cache.unmapped_prices() == ("price_x",)

    fill(cache, Tombstone(Kind.SUBSCRIPTION, "sub_1"))
    assert cache.unmapped_prices() == ()
    fill(cache, sub("sub_2", SubscriptionStatus.ACTIVE, item("pro"), version=2))
    fill(cache, Tombstone(Kind.PLAN, "plan_pro_1"))

    assert cache.unmapped_prices() == ("price_pro",)


def test_kinds_that_ram_does_not_hold_are_ignored(cache: BillingCache) -> None:
    mirror = StripeObject(id="sub_1", version=1, type="subscription", raw="{}", source=StripeSource.FETCH)

    assert fill(cache, mirror) == [Outcome.UNCHANGED]
    assert cache.held(Kind.STRIPE_OBJECT, "sub_1") is None


@pytest.mark.parametrize(
    ("change", "topic"),
    [
        pytest.param(workspace(version=2), "ws_1", id="workspace"),
        pytest.param(sub(version=2), "ws_1", id="subscription"),
        pytest.param(grant(), "ws_1", id="grant"),
        pytest.param(override(), "ws_1", id="override"),
        pytest.param(balance(), "ws_1", id="balance"),
        pytest.param(Tombstone(Kind.SUBSCRIPTION, "sub_1"), "ws_1", id="hard delete"),
        pytest.param(key(), "key_1", id="key"),
        pytest.param(plan(), "ws_9", id="plan tells everybody"),
        pytest.param(feature(), "ws_9", id="feature tells everybody"),
    ],
)
def test_feed_tells_who_is_concerned_once_something_changed(
    cache: BillingCache, change: Record | Tombstone, topic: str
) -> None:
    fill(cache, workspace(), sub())

    def dirty(listening: Subscriber) -> bool:
        was = listening._dirty.is_set()
        listening._dirty.clear()
        return was

    with cache.feed.subscribe(topic) as concerned, cache.feed.subscribe("ws_8") as other:
        fill(cache, change)
        first = dirty(concerned), dirty(other)
        fill(cache, change)
        echo = dirty(concerned)

    assert first == (True, topic == "ws_9")
    assert echo is False


def test_foreign_writer_without_versions_is_followed(cache: BillingCache) -> None:
    fill(cache, workspace("ws_1", version=1, incarnation="", name="as inserted"))

    outcomes = fill(cache, workspace("ws_1", version=1, incarnation="", name="as set"))

    assert outcomes == [Outcome.DIVERGED]
    assert cache.counters[Kind.WORKSPACE, Source.STREAM, Outcome.DIVERGED] == 1
    state = cache.state("ws_1")
    assert state is not None
    assert state.workspace.name == "as set"


def test_malformed_documents_are_named_until_they_can_be_read(cache: BillingCache) -> None:
    fill(cache, workspace("ws_1", name="last good"))
    cache.note_malformed(Kind.WORKSPACE, "ws_1", "version: expected an integer")
    cache.note_malformed(Kind.GRANT, "grant_1", "no workspaceId")
    cache.note_malformed(Kind.STRIPE_OBJECT, "cus_1", "RAM does not hold it")
    assert cache.status().malformed == (
        "workspaces/ws_1: version: expected an integer",
        "grants/grant_1: no workspaceId",
    )
    assert cache.state("ws_1") is not None

    fill(cache, workspace("ws_1", name="last good"))
    cache.note_readable(Kind.GRANT, "grant_1")

    assert cache.status().malformed == ()


def test_status_counts_live_records_and_tells_the_last_change(cache: BillingCache) -> None:
    fill(cache, workspace(), workspace("ws_2"), sub(), Tombstone(Kind.WORKSPACE, "ws_2"))

    status = cache.status()

    assert (status.ready, status.records, status.workspaces, status.last_applied_at) == (False, 2, 1, NOW)
    cache.mark_ready()
    assert cache.status().ready
    cache.ready = False
    assert not cache.status().ready


def test_keys_are_found_by_id_and_revoked_at_once(cache: BillingCache) -> None:
    fill(cache, key())
    fill(cache, key(version=2, revoked_at=NOW))

    found = cache.api_key("key_1")

    assert found is not None
    assert found.revoked_at == NOW
    assert cache.ids(Kind.API_KEY) == ["key_1"]
