"""The domain's enums as GraphQL shows them: names SCREAMING, a description for each value."""

from enum import StrEnum

from app.domain.api_key import Scope
from app.domain.audit import ActorKind
from app.domain.audit_chain import FaultCode
from app.domain.change import Kind
from app.domain.entitlement import AccessDeniedReason
from app.domain.grant import GrantSource
from app.domain.migration import MigrationStatus
from app.domain.plan import (
    AccessLevel,
    FeatureType,
    LimitBehavior,
    MergeRule,
    MeterType,
    PlanStatus,
    ResetPeriod,
    ValueType,
)
from app.domain.remedy import RemedyKind
from app.domain.stripe_backfill import BackfillStatus
from app.domain.stripe_event import StripeEventStatus, StripeObjectState
from app.domain.subscription import SubscriptionStatus
from app.domain.sync_status import StripeSyncMode, WorkerState
from app.domain.usage import UsageKind
from app.domain.usage_summary import Granularity
from app.graphql.types.exposing import expose
from app.services.catalogue.difference import ChangeAction, ChangeKind


class ResyncScope(StrEnum):
    """How much a resync covers; the API's word only."""

    ALL = "ALL"
    WORKSPACE = "WORKSPACE"


expose(
    Scope,
    "What an API key may do.",
    {
        "ENTITLEMENTS_READ": "Checks, entitlements, subscriptions, the catalogue, and their live changes.",
        "USAGE_WRITE": "Consume, reserve, settle and record usage.",
        "BILLING_READ": "Workspaces, subscriptions, invoices, payments, coupons and billing events.",
        "BILLING_WRITE": "Create and change workspaces, trials, grants and overrides.",
        "CATALOG_WRITE": "Create features and plans.",
        "OPERATOR": "Sync status, Stripe's events, backfill and links, resync and replay, the audit.",
        "ADMIN": "Create and revoke API keys, with any scope. Includes no other scope.",
    },
)
expose(
    AccessDeniedReason,
    "Why access is denied. The most specific reason is given.",
    {
        "WORKSPACE_NOT_FOUND": "No workspace has this id or externalId.",
        "WORKSPACE_ARCHIVED": "The workspace was archived.",
        "FEATURE_NOT_FOUND": "No feature has this key.",
        "FEATURE_TYPE_MISMATCH": "requestedUsage needs a METERED or CREDIT feature, requestedValues a CONFIG one.",
        "NO_ACTIVE_SUBSCRIPTION": "Nothing is subscribed and no free plan is set.",
        "SUBSCRIPTION_PAST_DUE": "Payment failed and grace is over, or the plan gives less in grace.",
        "SUBSCRIPTION_PAUSED": "The subscription is paused.",
        "SUBSCRIPTION_INCOMPLETE": "The first payment has not succeeded yet.",
        "TRIAL_EXPIRED": "The trial is over.",
        "PRICE_NOT_IN_CATALOG": "A subscription holds a Stripe price that no plan names; tell an operator.",
        "FEATURE_NOT_IN_PLAN": "The plan does not have the feature.",
        "REVOKED": "An override took the feature away.",
        "USAGE_LIMIT_EXCEEDED": "The amount asked for does not fit into what remains.",
        "INSUFFICIENT_CREDITS": "What the amount asked for costs is more than the credits that remain.",
        "REQUESTED_VALUE_NOT_ALLOWED": "One of requestedValues is not among the values allowed.",
        "STATE_UNKNOWN": "The service cannot tell now: it is loading, or its database does not answer. Ask again.",
    },
)
expose(
    FeatureType,
    "What kind of thing a feature is.",
    {
        "BOOLEAN": "On or off.",
        "CONFIG": "A typed value, such as a number of regions.",
        "METERED": "Usage against a limit.",
        "CREDIT": "A credit type, whose balance plans and grants fill; or what draws on one at a cost per unit.",
    },
)
expose(
    MeterType,
    "How a METERED feature is counted.",
    {"INCREMENTAL": "Counts up and resets: API calls.", "FLUCTUATING": "A level that rises and falls: seats."},
)
expose(
    ValueType,
    "The type of a CONFIG feature's value.",
    {
        "INTEGER": "A JSON integer.",
        "DECIMAL": "An exact decimal as a string.",
        "STRING": "A string.",
        "ENUM": "A list of strings out of the feature's enumValues.",
    },
)
expose(
    LimitBehavior,
    "What happens beyond the limit.",
    {
        "HARD": "Denied.",
        "SOFT": "Allowed; `overage` tells.",
        "OVERAGE": "Allowed and billed; `overage` tells.",
        "UNLIMITED": "There is no limit; `limit` and `remaining` are null.",
    },
)
expose(
    ResetPeriod,
    "When usage starts from zero again. Months are counted from an anchor and clamp to the month's last day.",
    {
        "NEVER": "Never.",
        "HOUR": "Every hour.",
        "DAY": "Every 24 hours.",
        "WEEK": "Every 7 days.",
        "MONTH": "Every month.",
        "QUARTER": "Every 3 months.",
        "YEAR": "Every 12 months.",
        "BILLING_CYCLE": "With Stripe's billing period.",
    },
)
expose(
    MergeRule,
    "How values of several plans and grants become one.",
    {
        "SUM": "Added.",
        "MAX": "The greatest.",
        "ANY": "On where one says on.",
        "UNION": "All values together.",
        "LATEST": "That of the plan that started last.",
    },
)
expose(
    AccessLevel,
    "What a plan allows while a subscription is past due or paused.",
    {"FULL": "Everything.", "READ_ONLY": "Reading; no further usage.", "NONE": "Nothing."},
)
expose(
    PlanStatus,
    "Whether a plan is offered.",
    {"ACTIVE": "Offered.", "ARCHIVED": "Serves those who have it; not offered any more."},
)
expose(
    MigrationStatus,
    "How a migration of subscribers stands.",
    {
        "RUNNING": "It goes on, or will as soon as the service does.",
        "FINISHED": "Everybody was looked at.",
        "SUPERSEDED": "A migration of the same plan to a newer version took its place.",
        "FAILED": "It cannot go on; `failure` tells why.",
    },
)
expose(
    GrantSource,
    "Where a contribution comes from.",
    {
        "PLAN": "A subscription's plan, or the free plan.",
        "ADD_ON": "An add-on, times the quantity bought.",
        "TRIAL": "The workspace's own trial.",
        "OVERRIDE": "An override that replaces the plan's word.",
        "PROMOTIONAL": "A grant given as a promotion.",
        "TOP_UP": "An amount that was bought once.",
        "ROLLOVER": "What was left of the period before.",
        "MANUAL": "A grant given by a person.",
        "STRIPE_ENTITLEMENT": "Stripe's own entitlement of the same lookup key; of BOOLEAN features only.",
    },
)
expose(
    UsageKind,
    "What an entry of the ledger tells of.",
    {
        "RECORD": "A report of what had been used.",
        "CONSUME": "Used within the limits.",
        "SET": "A level that was set.",
        "CORRECT": "A correction of an earlier entry.",
        "RESERVE": "Held back; nothing was used.",
        "SETTLE": "Used out of a reservation.",
        "RELEASE": "A reservation that was given back.",
    },
)
expose(
    RemedyKind,
    "What is to be done about a denial.",
    {
        "PAY_INVOICE": "Pay what is overdue.",
        "PLAN": "Change to a plan.",
        "ADD_ON": "Buy an add-on.",
        "TOP_UP": "Buy or grant an amount once.",
        "WAIT_UNTIL": "Wait: the clock alone will do.",
    },
)
expose(
    Granularity,
    "How long one slice of a summary is, in UTC.",
    {"HOUR": "An hour.", "DAY": "A day.", "MONTH": "A calendar month."},
)
expose(
    SubscriptionStatus,
    "Stripe's eight statuses. TRIALING, ACTIVE, and PAST_DUE within grace entitle.",
    {
        "INCOMPLETE": "The first payment has not succeeded yet.",
        "INCOMPLETE_EXPIRED": "The first payment never succeeded. Final.",
        "TRIALING": "In Stripe's trial.",
        "ACTIVE": "Paid. A scheduled cancellation is `cancelAtPeriodEnd`, not a status.",
        "PAST_DUE": "A payment failed; Stripe tries again.",
        "UNPAID": "Stripe gave up collecting; the subscription stays.",
        "PAUSED": "The trial ended without a payment method.",
        "CANCELED": "Ended. Final.",
    },
)
expose(
    StripeEventStatus,
    "What became of a Stripe event.",
    {
        "RECEIVED": "Waits for its object's turn.",
        "PROCESSED": "Reflected in our records.",
        "IGNORED": "Of a type that is kept and not used.",
        "PARKED": "Waits for a customer or workspace that is unknown here.",
        "DEAD": "Failed too often; `reason` tells. Replay it once the cause is gone.",
        "DISCARDED": "Was dead, and somebody has given it up; `discard` tells who and why.",
    },
)
expose(
    StripeObjectState,
    "How an object waits of which something is to be learned.",
    {
        "PENDING": "Waits for its turn, or is worked on.",
        "PARKED": "Waits for a customer or workspace that is unknown here.",
        "DEAD": "Failed too often.",
    },
)
expose(
    WorkerState,
    "How a background worker is.",
    {
        "INITIALIZING": "Not yet good since the process started.",
        "VALID": "Good.",
        "INTERRUPTED": "Was good and is being repaired.",
        "OFF": "Does not run in this process.",
    },
)
expose(
    StripeSyncMode,
    "How facts come from Stripe.",
    {
        "FETCH": "Every object is read from Stripe's API.",
        "PROVISIONAL": "Payloads are applied as told; there is no API key.",
        "OFF": "There is no webhook secret.",
    },
)
expose(
    ResyncScope,
    "How much a resync covers.",
    {"ALL": "Everything held in RAM.", "WORKSPACE": "The workspace named by `workspaceId`."},
)
expose(
    ActorKind,
    "What sort of actor changed a record.",
    {"API_KEY": "A caller.", "STRIPE": "Stripe's events.", "SYSTEM": "A job of the service, or its command line."},
)
expose(
    Kind,
    "The kinds of records.",
    {kind.name: f"A document of the collection `{kind.value}`." for kind in Kind},
    name="RecordKind",
)
expose(
    BackfillStatus,
    "How far a backfill from Stripe is.",
    {
        "RUNNING": "It goes on; after a crash by itself.",
        "FINISHED": "Everything was read.",
        "FAILED": "Stripe refused; `failure` says why. What was read until then is stored.",
    },
    name="StripeBackfillStatus",
)
expose(
    FaultCode,
    "What is wrong with the audit's chain.",
    {
        "ENTRY_EDITED": "An entry is not as it was when it was sealed.",
        "ENTRY_REMOVED": "An entry is gone before its time.",
        "ENTRY_MOVED": "An entry names another seal than the one that lists it.",
        "ENTRY_UNLISTED": "An entry names a seal that does not list it, or that does not exist.",
        "SEAL_EDITED": "A seal has not the hash of its content.",
        "SEAL_REMOVED": "Seals are gone before their time.",
        "SEAL_UNLINKED": "A seal does not hold the hash of the one before.",
        "SEAL_UNREADABLE": "A stored seal is malformed.",
        "HEAD_DIFFERS": "The chain does not have the head that was expected.",
    },
    name="AuditFaultCode",
)
expose(
    ChangeKind,
    "What a part of the catalogue is.",
    {
        "CREDIT_TYPE": "A balance that plans and grants fill.",
        "FEATURE": "A feature.",
        "PLAN": "A plan.",
        "ADD_ON": "An add-on.",
    },
    name="CatalogChangeKind",
)
expose(
    ChangeAction,
    "What applying a catalogue's file does to a part of the catalogue.",
    {
        "CREATE": "It is new; of a plan, version 1.",
        "CHANGE": "It is changed where it stands: what a feature is called or costs is no version.",
        "NEW_VERSION": "A new version of the plan or add-on is published.",
        "ARCHIVE": "It is offered no more.",
        "RESTORE": "It was archived and is offered again.",
    },
    name="CatalogChangeAction",
)
