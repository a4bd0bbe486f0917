"""The catalogue as the text of a file: applied, it changes nothing."""

from collections.abc import Sequence

from app.domain.plan import Catalogue, Feature, Plan
from app.services.catalogue.tables import feature_table, plan_table, section_of, without_defaults
from app.services.catalogue.writing import block

_SECTIONS = ("credits", "features", "plans", "add_ons")


def export_catalogue(catalogue: Catalogue) -> str:
    """Return the latest version of everything, archived parts too, in an order that the keys alone decide."""
    records: list[Feature | Plan] = [*catalogue.features.values(), *catalogue.plans()]
    records.sort(key=lambda record: (_SECTIONS.index(section_of(record)), record.key))
    return "\n".join([*_default_plan(catalogue), *(part for record in records for part in blocks(record))])


def _default_plan(catalogue: Catalogue) -> list[str]:
    default = next((plan.key for plan in catalogue.plans() if plan.is_default), None)
    return [] if default is None else [block(None, {"default_plan": default})]


def blocks(record: Feature | Plan, notes: Sequence[str] = ()) -> list[str]:
    """Return the record's tables with their headers; notes stand above as comments."""
    header = f"{section_of(record)}.{record.key}"
    match record:
        case Feature():
            return [block(header, without_defaults(record, feature_table(record)), notes)]
        case Plan():
            table = without_defaults(record, plan_table(record))
            rows = table.pop("features", None)
            head = block(header, table, notes)
            return [head] if rows is None else [head, block(f"{header}.features", rows)]
