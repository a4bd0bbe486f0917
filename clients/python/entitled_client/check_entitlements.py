from .base_model import BaseModel
from .fragments import Decision


class CheckEntitlements(BaseModel):
    check_entitlements: list["CheckEntitlementsCheckEntitlements"]


CheckEntitlementsCheckEntitlements = Decision
CheckEntitlements.model_rebuild()
