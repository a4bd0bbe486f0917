from .base_model import BaseModel
from .fragments import EntitlementSet


class Entitlements(BaseModel):
    entitlements: "EntitlementsEntitlements"


EntitlementsEntitlements = EntitlementSet
Entitlements.model_rebuild()
