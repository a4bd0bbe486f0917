"""A catalogue's file from Stripe's products to the answers that subscribers get."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.service import Service, api, eventually_equal, make_workspace
from support.stripe_account import Account, deliver

from app.cli.main import run

Catalog = Callable[..., str]

FILE = """
[features.renders]
name = "Renders"
type = "METERED"

[plans.{key}]
name = "Studio"
prices = [{{ lookup_key = "{key}_monthly" }}]
migrate = {migrate}
features = {{ renders = {{ limit = {limit}, reset = "MONTH" }} }}
"""


@pytest.fixture
def catalog(with_stripe: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Catalog:
    """Give `entitled catalog`, which must succeed; it returns what was printed."""
    monkeypatch.setenv("ENTITLED_URL", f"{with_stripe.url}/graphql")
    monkeypatch.setenv("ENTITLED_API_KEY", with_stripe.key)

    def command(*arguments: str) -> str:
        code = run(("catalog", *arguments))
        out, err = capsys.readouterr()
        assert code == 0, err
        return out

    return command


def test_what_is_sold_at_stripe_becomes_a_catalogue(
    account: Account, catalog: Catalog, tmp_path: Path, name: str
) -> None:
    product = account.create("products", name=f"Gold {name}")
    monthly = {"product": product["id"], "currency": "eur", "unit_amount": 900, "recurring[interval]": "month"}
    account.create("prices", **monthly, lookup_key=f"gold_{name}_monthly")
    once = account.create("prices", product=product["id"], currency="eur", unit_amount=5)
    feature = account.create("entitlements/features", lookup_key=f"{name}-sso", name="Single sign-on")
    account.create(f"products/{product['id']}/features", entitlement_feature=feature["id"])
    file, key = tmp_path / "catalog.toml", name.replace("-", "_")

    catalog("import", "--from-stripe", str(file))

    text = file.read_text(encoding="utf-8")
    assert f"[plans.gold_{key}.features]\n{key}_sso = true\n" in text
    assert f"# {once['id']} is paid once and buys no plan." in text
    assert f"+ plan gold_{key}" in catalog("diff", str(file))
    assert catalog("apply", str(file), "--yes").endswith("applied\n")
    assert catalog("diff", str(file)).startswith("nothing to change")


@pytest.mark.parametrize(("migrate", "limit"), [("false", "100"), ("true", "200")])
async def test_a_subscriber_keeps_the_version_unless_the_file_migrates(
    with_stripe: Service, account: Account, catalog: Catalog, tmp_path: Path, *, migrate: str, limit: str
) -> None:
    name = f"studio_{migrate}"
    file = tmp_path / "catalog.toml"
    file.write_text(FILE.format(key=name, limit=100, migrate="false"))
    catalog("apply", str(file), "--yes")
    async with api(with_stripe) as client:
        await make_workspace(client, name)
        subscription = account.subscribe(account.price(f"{name}_monthly"), name)
        # Stripe tells whole seconds: bought in the second of the next version, it would count as bought after it.
        account.change(subscription, {"items": {"data": {"0": {"created": 1_700_000_000}}}}, deliver=False)
        for event in account.events():
            await deliver(client.client, with_stripe, event)

        async def limit_now() -> str | None:
            usage = (await client.check(name, "renders"))["usage"]
            return usage["limit"] if usage else None

        await eventually_equal(limit_now, "100")
        file.write_text(FILE.format(key=name, limit=200, migrate=migrate))

        assert f"~ plan {name}: version 2" in catalog("apply", str(file), "--yes", "--wait")

        await eventually_equal(limit_now, limit)
        assert catalog("diff", str(file)).startswith("nothing to change")
