"""Builders of records with defaults that a test overrides by keyword."""

from decimal import Decimal
from typing import Any

from app.domain.consumption import Wanted
from app.domain.grant import Grant, GrantSource, Override
from app.domain.migration import Migration
from app.domain.plan import (
    Feature,
    FeatureType,
    LimitBehavior,
    MeterType,
    Plan,
    PlanFeature,
    PlanKind,
    PlanPrice,
    ResetPeriod,
    default_merge,
)
from app.domain.stripe_facts import StripeFacts
from app.domain.stripe_object import StripeObject, StripeSource
from app.domain.subscription import Subscription, SubscriptionItem, SubscriptionStatus
from app.domain.usage import Balance, Meter, Pot, Reservation, UsageLine
from app.domain.workspace import Workspace

NOW = 1_790_000_000_000
DAY = 86_400_000


def workspace(id: str = "ws_1", **fields: Any) -> Workspace:
    return Workspace(**{"id": id, "version": 1, "incarnation": "i", "created_at": NOW - 100 * DAY, **fields})


def feature(key: str = "api_calls", type: FeatureType = FeatureType.METERED, **fields: Any) -> Feature:
    meter = MeterType.INCREMENTAL if type is FeatureType.METERED else None
    merge = default_merge(type, fields.get("value_type"))
    return Feature(
        **{
            "id": f"feat_{key}",
            "version": 1,
            "incarnation": "i",
            "key": key,
            "name": key,
            "type": type,
            "meter_type": meter,
            "merge": merge,
            **fields,
        }
    )


def credit(key: str = "credits", **fields: Any) -> Feature:
    return feature(key, FeatureType.CREDIT, **fields)


def drawing(key: str, cost: int | str, credit_key: str = "credits") -> Feature:
    return credit(key, credit_key=credit_key, cost=Decimal(cost))


def limit(
    key: str = "api_calls",
    amount: int | str | None = 100,
    reset: ResetPeriod = ResetPeriod.MONTH,
    behavior: LimitBehavior = LimitBehavior.HARD,
    **fields: Any,
) -> PlanFeature:
    return PlanFeature(
        feature_key=key,
        limit=None if amount is None else Decimal(amount),
        limit_behavior=LimitBehavior.UNLIMITED if amount is None else behavior,
        reset_period=reset,
        **fields,
    )


def plan(key: str = "pro", *features: PlanFeature, plan_version: int = 1, **fields: Any) -> Plan:
    return Plan(
        **{
            "id": f"plan_{key}_{plan_version}",
            "version": 1,
            "incarnation": "i",
            "key": key,
            "plan_version": plan_version,
            "name": key.title(),
            "published_at": NOW - 200 * DAY,
            "prices": (PlanPrice(lookup_key=f"{key}_monthly"),),
            "features": features,
            **fields,
        }
    )


def add_on(key: str = "seats_pack", *features: PlanFeature, plan_version: int = 1, **fields: Any) -> Plan:
    return plan(key, *features, plan_version=plan_version, **{"kind": PlanKind.ADD_ON, "trial_days": 0, **fields})


def item(plan_key: str = "pro", **fields: Any) -> SubscriptionItem:
    return SubscriptionItem(
        **{
            "id": f"si_{plan_key}",
            "price_id": f"price_{plan_key}",
            "lookup_key": f"{plan_key}_monthly",
            "price_since_at": NOW - 40 * DAY,
            "current_period_start_at": NOW - 10 * DAY,
            "current_period_end_at": NOW + 20 * DAY,
            **fields,
        }
    )


def sub(
    id: str = "sub_1", status: SubscriptionStatus = SubscriptionStatus.ACTIVE, *items: SubscriptionItem, **fields: Any
) -> Subscription:
    return Subscription(
        **{
            "id": id,
            "version": 1,
            "incarnation": "i",
            "workspace_id": "ws_1",
            "stripe_customer_id": "cus_1",
            "status": status,
            "started_at": NOW - 40 * DAY,
            "billing_anchor_at": NOW - 40 * DAY,
            "items": items or (item(),),
            **fields,
        }
    )


def grant(id: str = "grant_1", key: str = "api_calls", **fields: Any) -> Grant:
    return Grant(
        **{
            "id": id,
            "version": 1,
            "incarnation": "i",
            "workspace_id": "ws_1",
            "feature_key": key,
            "source": GrantSource.PROMOTIONAL,
            "effective_at": NOW - DAY,
            **fields,
        }
    )


def override(id: str = "ovr_1", key: str = "api_calls", **fields: Any) -> Override:
    return Override(
        **{"id": id, "version": 1, "incarnation": "i", "workspace_id": "ws_1", "feature_key": key, **fields}
    )


def balance(**fields: Any) -> Balance:
    return Balance(**{"id": "ws_1", "version": 1, "incarnation": "i", **fields})


def meter(
    used: int | str = 0,
    start_at: int = NOW - 10 * DAY,
    reset: ResetPeriod = ResetPeriod.MONTH,
    end_at: int | None = NOW + 20 * DAY,
    **fields: Any,
) -> Meter:
    return Meter(reset_period=reset, start_at=start_at, end_at=end_at, used=Decimal(used), **fields)


def pot(used: int | str, id: str = "grant_1", start_at: int = NOW - DAY, end_at: int | None = None) -> Pot:
    return Pot(id=id, start_at=start_at, end_at=end_at, used=Decimal(used))


def reservation(id: str = "res_1", *lines: UsageLine, **fields: Any) -> Reservation:
    return Reservation(
        **{
            "id": id,
            "lines": lines,
            "principal": "key_1",
            "created_at": NOW,
            "expires_at": NOW + 60_000,
            **fields,
        }
    )


def mirror(id: str, facts: StripeFacts, **fields: Any) -> StripeObject:
    return StripeObject(
        **{
            "id": id,
            "version": 1,
            "incarnation": "i",
            "type": facts.__struct_config__.tag,
            "raw": "{}",
            "facts": facts,
            "source": StripeSource.FETCH,
            **fields,
        }
    )


def wanted(amount: int | str | Decimal, key: str = "api_calls") -> Wanted:
    return Wanted(key, Decimal(amount))


def migration(id: str = "mig_1", key: str = "pro", plan_version: int = 2, **fields: Any) -> Migration:
    return Migration(
        **{
            "id": id,
            "version": 1,
            "incarnation": "i",
            "plan_key": key,
            "plan_id": f"plan_{key}_{plan_version}",
            "plan_version": plan_version,
            "published_at": NOW - DAY,
            "total": 1,
            "started_at": NOW - DAY,
            **fields,
        }
    )
