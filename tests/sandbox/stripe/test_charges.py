"""Charges, as the API tells of them."""

from sandbox.stripe_account import Account


async def test_what_is_said_of_a_charge_can_be_changed_and_nothing_else(account: Account) -> None:
    charge = await account.charge_of()

    changed = await account.sdk.v1.charges.update_async(charge, {"description": "Pro", "metadata": {"order": "7"}})

    assert (changed.description, changed.metadata["order"]) == ("Pro", "7")
    told = (await account.get("/v1/events", {"limit": 1}))["data"][0]
    former = {"description": None, "metadata": {"order": None}}
    assert (told["type"], told["data"]["previous_attributes"]) == ("charge.updated", former)
    await account.post(f"/v1/charges/{charge}", {"amount": 1}, status=400)


async def test_charges_are_listed_by_customer(account: Account) -> None:
    mine, other = await account.charge_of(), await account.charge_of()
    owner = (await account.sdk.v1.charges.retrieve_async(mine)).customer

    found = await account.sdk.v1.charges.list_async({"customer": str(owner)})

    assert [charge.id for charge in found.data] == [mine]
    assert other != mine
