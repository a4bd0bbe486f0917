from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Optional, Union

from .base_client import BaseClient
from .base_model import UNSET, UnsetType
from .check_entitlement import CheckEntitlement, CheckEntitlementCheckEntitlement
from .check_entitlements import CheckEntitlements, CheckEntitlementsCheckEntitlements
from .consume import (
    Consume,
    ConsumeConsumeConflictError,
    ConsumeConsumeConsumePayload,
    ConsumeConsumeIdempotencyConflictError,
    ConsumeConsumeLimitExceededError,
    ConsumeConsumeNotFoundError,
    ConsumeConsumeValidationError,
)
from .entitlements import Entitlements, EntitlementsEntitlements
from .entitlements_changed import (
    EntitlementsChanged,
    EntitlementsChangedEntitlementsChanged,
)
from .input_types import (
    CheckInput,
    ConsumeInput,
    RecordUsageInput,
    ReleaseInput,
    ReserveInput,
    SettleInput,
)
from .record_usage import (
    RecordUsage,
    RecordUsageRecordUsageConflictError,
    RecordUsageRecordUsageIdempotencyConflictError,
    RecordUsageRecordUsageNotFoundError,
    RecordUsageRecordUsageRecordUsagePayload,
    RecordUsageRecordUsageValidationError,
)
from .release import (
    Release,
    ReleaseReleaseConflictError,
    ReleaseReleaseIdempotencyConflictError,
    ReleaseReleaseNotFoundError,
    ReleaseReleaseReleasePayload,
    ReleaseReleaseValidationError,
)
from .reserve import (
    Reserve,
    ReserveReserveConflictError,
    ReserveReserveIdempotencyConflictError,
    ReserveReserveLimitExceededError,
    ReserveReserveNotFoundError,
    ReserveReserveReservationPayload,
    ReserveReserveValidationError,
)
from .settle import (
    Settle,
    SettleSettleConflictError,
    SettleSettleIdempotencyConflictError,
    SettleSettleNotFoundError,
    SettleSettleSettlePayload,
    SettleSettleValidationError,
)


def gql(q: str) -> str:
    return q


class Entitled(BaseClient):
    async def check_entitlement(
        self, input: CheckInput, **kwargs: Any
    ) -> CheckEntitlementCheckEntitlement:
        """Whether a workspace may use a feature now. Always answers: what is unknown is a reason."""
        query = gql("""
            query checkEntitlement($input: CheckInput!) {
              checkEntitlement(input: $input) {
                ...Decision
              }
            }

            fragment Decision on EntitlementDecision {
              entitlement {
                ...Entitlement
              }
            }

            fragment Entitlement on Entitlement {
              featureKey
              hasAccess
              accessDeniedReason
              limitBehavior
              readOnly
              inGrace
              graceEndsAt
              isTrial
              trialEndsAt
              value
              usage {
                used
                reserved
                limit
                remaining
                overage
                periodStart
                resetsAt
              }
              validUntil
              version
            }
            """)
        variables: dict[str, object] = {"input": input}
        response = await self.execute(
            query=query,
            operation_name="checkEntitlement",
            variables=variables,
            **kwargs,
        )
        data = self.get_data(response)
        return CheckEntitlement.model_validate(data).check_entitlement

    async def check_entitlements(
        self, inputs: list[CheckInput], **kwargs: Any
    ) -> list[CheckEntitlementsCheckEntitlements]:
        """Up to 1,000 checks, all at one instant, answered in the order of the inputs."""
        query = gql("""
            query checkEntitlements($inputs: [CheckInput!]!) {
              checkEntitlements(inputs: $inputs) {
                ...Decision
              }
            }

            fragment Decision on EntitlementDecision {
              entitlement {
                ...Entitlement
              }
            }

            fragment Entitlement on Entitlement {
              featureKey
              hasAccess
              accessDeniedReason
              limitBehavior
              readOnly
              inGrace
              graceEndsAt
              isTrial
              trialEndsAt
              value
              usage {
                used
                reserved
                limit
                remaining
                overage
                periodStart
                resetsAt
              }
              validUntil
              version
            }
            """)
        variables: dict[str, object] = {"inputs": inputs}
        response = await self.execute(
            query=query,
            operation_name="checkEntitlements",
            variables=variables,
            **kwargs,
        )
        data = self.get_data(response)
        return CheckEntitlements.model_validate(data).check_entitlements

    async def entitlements(
        self,
        workspace_id: str,
        feature_keys: Union[Optional[list[str]], UnsetType] = UNSET,
        **kwargs: Any,
    ) -> EntitlementsEntitlements:
        """What a workspace may use now: of every feature, or of up to 1,000 named ones."""
        query = gql("""
            query entitlements($workspaceId: ID!, $featureKeys: [String!]) {
              entitlements(workspaceId: $workspaceId, featureKeys: $featureKeys) {
                ...EntitlementSet
              }
            }

            fragment Entitlement on Entitlement {
              featureKey
              hasAccess
              accessDeniedReason
              limitBehavior
              readOnly
              inGrace
              graceEndsAt
              isTrial
              trialEndsAt
              value
              usage {
                used
                reserved
                limit
                remaining
                overage
                periodStart
                resetsAt
              }
              validUntil
              version
            }

            fragment EntitlementSet on EntitlementSet {
              workspaceId
              version
              accessDeniedReason
              entitlements {
                ...Entitlement
              }
            }
            """)
        variables: dict[str, object] = {
            "workspaceId": workspace_id,
            "featureKeys": feature_keys,
        }
        response = await self.execute(
            query=query, operation_name="entitlements", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return Entitlements.model_validate(data).entitlements

    async def entitlements_changed(
        self, workspace_id: str, **kwargs: Any
    ) -> AsyncGenerator[EntitlementsChangedEntitlementsChanged]:
        """What a workspace may use: now, and again whenever it differs. Changes in quick succession arrive as one. An unknown workspace is answered with WORKSPACE_NOT_FOUND, and again once it exists."""
        query = gql("""
            subscription entitlementsChanged($workspaceId: ID!) {
              entitlementsChanged(workspaceId: $workspaceId) {
                ...EntitlementSet
              }
            }

            fragment Entitlement on Entitlement {
              featureKey
              hasAccess
              accessDeniedReason
              limitBehavior
              readOnly
              inGrace
              graceEndsAt
              isTrial
              trialEndsAt
              value
              usage {
                used
                reserved
                limit
                remaining
                overage
                periodStart
                resetsAt
              }
              validUntil
              version
            }

            fragment EntitlementSet on EntitlementSet {
              workspaceId
              version
              accessDeniedReason
              entitlements {
                ...Entitlement
              }
            }
            """)
        variables: dict[str, object] = {"workspaceId": workspace_id}
        async with aclosing(
            self.execute_ws(
                query=query,
                operation_name="entitlementsChanged",
                variables=variables,
                **kwargs,
            )
        ) as pushed:
            async for data in pushed:
                yield EntitlementsChanged.model_validate(data).entitlements_changed

    async def consume(
        self, input: ConsumeInput, **kwargs: Any
    ) -> Union[
        ConsumeConsumeConsumePayload,
        ConsumeConsumeLimitExceededError,
        ConsumeConsumeValidationError,
        ConsumeConsumeNotFoundError,
        ConsumeConsumeConflictError,
        ConsumeConsumeIdempotencyConflictError,
    ]:
        """Use several features and credits, all or none, within their limits. Decided by the database."""
        query = gql("""
            mutation consume($input: ConsumeInput!) {
              consume(input: $input) {
                __typename
                ...ConsumePayload
                ...LimitExceededError
                ...Refusal
              }
            }

            fragment ConsumePayload on ConsumePayload {
              eventId
              replayed
              decisions {
                ...Decision
              }
            }

            fragment Decision on EntitlementDecision {
              entitlement {
                ...Entitlement
              }
            }

            fragment Entitlement on Entitlement {
              featureKey
              hasAccess
              accessDeniedReason
              limitBehavior
              readOnly
              inGrace
              graceEndsAt
              isTrial
              trialEndsAt
              value
              usage {
                used
                reserved
                limit
                remaining
                overage
                periodStart
                resetsAt
              }
              validUntil
              version
            }

            fragment LimitExceededError on LimitExceededError {
              line
              decision {
                ...Decision
              }
            }

            fragment Refusal on UserError {
              code
              message
              path
            }
            """)
        variables: dict[str, object] = {"input": input}
        response = await self.execute(
            query=query, operation_name="consume", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return Consume.model_validate(data).consume

    async def reserve(
        self, input: ReserveInput, **kwargs: Any
    ) -> Union[
        ReserveReserveReservationPayload,
        ReserveReserveLimitExceededError,
        ReserveReserveValidationError,
        ReserveReserveNotFoundError,
        ReserveReserveConflictError,
        ReserveReserveIdempotencyConflictError,
    ]:
        """Hold back several features and credits, all or none, for work whose cost is not known yet. The open reservations of a workspace have at most 1,000 lines."""
        query = gql("""
            mutation reserve($input: ReserveInput!) {
              reserve(input: $input) {
                __typename
                ...ReservationPayload
                ...LimitExceededError
                ...Refusal
              }
            }

            fragment Decision on EntitlementDecision {
              entitlement {
                ...Entitlement
              }
            }

            fragment Entitlement on Entitlement {
              featureKey
              hasAccess
              accessDeniedReason
              limitBehavior
              readOnly
              inGrace
              graceEndsAt
              isTrial
              trialEndsAt
              value
              usage {
                used
                reserved
                limit
                remaining
                overage
                periodStart
                resetsAt
              }
              validUntil
              version
            }

            fragment LimitExceededError on LimitExceededError {
              line
              decision {
                ...Decision
              }
            }

            fragment Refusal on UserError {
              code
              message
              path
            }

            fragment ReservationPayload on ReservationPayload {
              reservationId
              expiresAt
              eventId
              replayed
              decisions {
                ...Decision
              }
            }
            """)
        variables: dict[str, object] = {"input": input}
        response = await self.execute(
            query=query, operation_name="reserve", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return Reserve.model_validate(data).reserve

    async def settle(
        self, input: SettleInput, **kwargs: Any
    ) -> Union[
        SettleSettleSettlePayload,
        SettleSettleValidationError,
        SettleSettleNotFoundError,
        SettleSettleConflictError,
        SettleSettleIdempotencyConflictError,
    ]:
        """Use what was really used of a reservation; the rest returns to the very grants it came from."""
        query = gql("""
            mutation settle($input: SettleInput!) {
              settle(input: $input) {
                __typename
                ...SettlePayload
                ...Refusal
              }
            }

            fragment Decision on EntitlementDecision {
              entitlement {
                ...Entitlement
              }
            }

            fragment Entitlement on Entitlement {
              featureKey
              hasAccess
              accessDeniedReason
              limitBehavior
              readOnly
              inGrace
              graceEndsAt
              isTrial
              trialEndsAt
              value
              usage {
                used
                reserved
                limit
                remaining
                overage
                periodStart
                resetsAt
              }
              validUntil
              version
            }

            fragment Refusal on UserError {
              code
              message
              path
            }

            fragment SettlePayload on SettlePayload {
              eventId
              replayed
              decisions {
                ...Decision
              }
            }
            """)
        variables: dict[str, object] = {"input": input}
        response = await self.execute(
            query=query, operation_name="settle", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return Settle.model_validate(data).settle

    async def release(
        self, input: ReleaseInput, **kwargs: Any
    ) -> Union[
        ReleaseReleaseReleasePayload,
        ReleaseReleaseValidationError,
        ReleaseReleaseNotFoundError,
        ReleaseReleaseConflictError,
        ReleaseReleaseIdempotencyConflictError,
    ]:
        """Give all of a reservation back to where it came from."""
        query = gql("""
            mutation release($input: ReleaseInput!) {
              release(input: $input) {
                __typename
                ...ReleasePayload
                ...Refusal
              }
            }

            fragment Decision on EntitlementDecision {
              entitlement {
                ...Entitlement
              }
            }

            fragment Entitlement on Entitlement {
              featureKey
              hasAccess
              accessDeniedReason
              limitBehavior
              readOnly
              inGrace
              graceEndsAt
              isTrial
              trialEndsAt
              value
              usage {
                used
                reserved
                limit
                remaining
                overage
                periodStart
                resetsAt
              }
              validUntil
              version
            }

            fragment Refusal on UserError {
              code
              message
              path
            }

            fragment ReleasePayload on ReleasePayload {
              eventId
              replayed
              decisions {
                ...Decision
              }
            }
            """)
        variables: dict[str, object] = {"input": input}
        response = await self.execute(
            query=query, operation_name="release", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return Release.model_validate(data).release

    async def record_usage(
        self, input: RecordUsageInput, **kwargs: Any
    ) -> Union[
        RecordUsageRecordUsageRecordUsagePayload,
        RecordUsageRecordUsageValidationError,
        RecordUsageRecordUsageNotFoundError,
        RecordUsageRecordUsageConflictError,
        RecordUsageRecordUsageIdempotencyConflictError,
    ]:
        """Record what has already happened, also beyond a HARD limit: `remaining` is 0 then."""
        query = gql("""
            mutation recordUsage($input: RecordUsageInput!) {
              recordUsage(input: $input) {
                __typename
                ...RecordUsagePayload
                ...Refusal
              }
            }

            fragment Entitlement on Entitlement {
              featureKey
              hasAccess
              accessDeniedReason
              limitBehavior
              readOnly
              inGrace
              graceEndsAt
              isTrial
              trialEndsAt
              value
              usage {
                used
                reserved
                limit
                remaining
                overage
                periodStart
                resetsAt
              }
              validUntil
              version
            }

            fragment RecordUsagePayload on RecordUsagePayload {
              eventId
              replayed
              entitlement {
                ...Entitlement
              }
            }

            fragment Refusal on UserError {
              code
              message
              path
            }
            """)
        variables: dict[str, object] = {"input": input}
        response = await self.execute(
            query=query, operation_name="recordUsage", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return RecordUsage.model_validate(data).record_usage
