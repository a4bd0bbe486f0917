from .base_model import BaseModel
from .fragments import EntitlementSet


class EntitlementsChanged(BaseModel):
    entitlements_changed: "EntitlementsChangedEntitlementsChanged"


EntitlementsChangedEntitlementsChanged = EntitlementSet
EntitlementsChanged.model_rebuild()
