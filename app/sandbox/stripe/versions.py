"""The API versions that changed what objects look like or which parameters there are."""

from typing import Final

BASIL: Final = "2025-03-31"  # periods belong to items, invoices to parents; no more single coupons
CLOVER: Final = "2025-09-30"  # promotion codes and discounts name their coupon under `promotion` and `source`
DAHLIA: Final = "2026-03-25"  # checkout's page is `hosted_page`, which was `hosted`
