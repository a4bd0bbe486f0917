"""A workspace at an instant, of which several things are asked: what does not depend on its balance is found once."""

from decimal import Decimal

import msgspec

from app.domain.burn_down import Counted
from app.domain.coverage import Holding, holdings
from app.domain.entitlement import Entitlement, evaluate, findings_of, refusal, usage_windows
from app.domain.errors import NotFoundError
from app.domain.explanation import Question
from app.domain.offer import Offer, offer_of
from app.domain.plan import Catalogue, Feature
from app.domain.supply import Supply, supply_of
from app.domain.usage import Balance, charge_of
from app.domain.workspace_state import WorkspaceState


class Room(msgspec.Struct, frozen=True, gc=False):
    """What there is to use of a feature, and the windows in which its use counts."""

    feature: Feature
    supply: Supply
    counted: Counted


class Case:
    """All that decides about usage at an instant. Cases that differ only in the balance share what they have found."""

    __slots__ = ("_known", "at", "catalogue", "state")

    def __init__(self, state: WorkspaceState, catalogue: Catalogue, at: int, known: "_Known | None" = None) -> None:
        self.state = state
        self.catalogue = catalogue
        self.at = at
        self._known = known or _Known()

    def on(self, balance: Balance) -> "Case":
        """Return the case with this balance."""
        return Case(msgspec.structs.replace(self.state, balance=balance), self.catalogue, self.at, self._known)

    def when(self, at: int) -> "Case":
        """Return the case at another instant."""
        return self if at == self.at else Case(self.state, self.catalogue, at)

    def question(self, feature_key: str, amount: Decimal) -> Question:
        """Return what is asked of a feature and an amount."""
        return Question(
            feature_key=feature_key, state=self.state, catalogue=self.catalogue, at=self.at, requested_usage=amount
        )

    def answer(self, feature_key: str, amount: Decimal) -> Entitlement:
        """Return the whole answer."""
        return evaluate(feature_key, self.state, self.catalogue, self.at, requested_usage=amount)

    def room_for(self, feature_key: str, amount: Decimal) -> Room | None:
        """Return what there is, if the amount may be used of it: if `answer` would have access."""
        feature = self.catalogue.features.get(feature_key)
        if feature is None or not feature.is_counted or self.state.workspace.archived_at is not None:
            return None
        room = self.room(feature_key)
        is_refused = refusal(feature, self._offer(feature), room.supply, charge_of(feature, amount)) is not None
        return None if is_refused or room.supply.is_empty else room

    def feature(self, key: str) -> Feature:
        """Return the feature. Raises `NotFoundError`."""
        feature = self.catalogue.features.get(key)
        if feature is None:
            raise NotFoundError("feature", key)
        return feature

    def room(self, feature_key: str) -> Room:
        """Return what there is, whether or not it may be used. Raises `NotFoundError`."""
        feature = self.feature(feature_key)
        supply = supply_of(self._offer(feature), self.state.balance, self.at)
        return Room(feature, supply, self._counted(self.catalogue.balance_feature(feature)))

    def _held(self) -> tuple[Holding, ...]:
        known = self._known
        if known.held is None:
            known.held = holdings(self.state.workspace, self.state.subscriptions, self.catalogue, self.at)
        return known.held

    def _offer(self, feature: Feature) -> Offer:
        offer = self._known.offers.get(feature.key)
        if offer is None:
            found = findings_of(feature, self.state, self.catalogue, self.at, held=self._held())
            offer = offer_of(self.catalogue.balance_feature(feature), found, self.at)
            self._known.offers[feature.key] = offer
        return offer

    def _counted(self, feature: Feature) -> Counted:
        counted = self._known.counted.get(feature.key)
        if counted is None:
            windows = usage_windows(feature, self.state, self.catalogue, self.at, held=self._held())
            counted = self._known.counted[feature.key] = Counted(windows)
        return counted


class _Known:
    """What has been found of a case, by feature key."""

    __slots__ = ("counted", "held", "offers")

    def __init__(self) -> None:
        self.held: tuple[Holding, ...] | None = None
        self.offers: dict[str, Offer] = {}
        self.counted: dict[str, Counted] = {}
