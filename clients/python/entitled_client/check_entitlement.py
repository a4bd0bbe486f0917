from .base_model import BaseModel
from .fragments import Decision


class CheckEntitlement(BaseModel):
    check_entitlement: "CheckEntitlementCheckEntitlement"


CheckEntitlementCheckEntitlement = Decision
CheckEntitlement.model_rebuild()
