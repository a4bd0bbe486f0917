"""A file as a whole: every fault at once, and what it leaves alone."""

from support.catalogues import faults_of, reviewed
from support.records import NOW, add_on, feature, plan

from app.domain.errors import CatalogueFaultsError
from app.domain.plan import Catalogue, FeatureType, PlanStatus
from app.services.catalogue.difference import ChangeKind, Part

TEN_FAULTS = """\
default_plan = "hoby"

[credits.ai]
nam = "AI credits"

[features.images]
name = "Images"
type = "CREDIT"
credit = "api"
cost = 0

[features.seats]
name = "Seats"
type = "METRED"

[plans.hobby]
name = "Hobby"
trial_days = -1
[plans.hobby.features]
workspaces = 3
ai = { limit = "many", reset = "MONHT" }

[add_ons.seats]
name = "Seats"
max_quantity = 0
"""


def test_a_catalogue_with_ten_faults_names_all_ten() -> None:
    assert [(f.line, f.column, f.code, ".".join(f.path)) for f in faults_of(TEN_FAULTS)] == [
        (1, 16, "UNKNOWN", "default_plan"),
        (3, 10, "REQUIRED", "credits.ai.name"),
        (4, 1, "UNKNOWN_KEY", "credits.ai.nam"),
        (9, 10, "UNKNOWN", "features.images.credit"),
        (10, 8, "OUT_OF_RANGE", "features.images.cost"),
        (14, 8, "UNKNOWN_WORD", "features.seats.type"),
        (18, 14, "OUT_OF_RANGE", "plans.hobby.trial_days"),
        (20, 1, "UNKNOWN", "plans.hobby.features.workspaces"),
        (21, 16, "WRONG_TYPE", "plans.hobby.features.ai.limit"),
        (21, 32, "UNKNOWN_WORD", "plans.hobby.features.ai.reset"),
        (25, 16, "OUT_OF_RANGE", "add_ons.seats.max_quantity"),
    ]


def test_every_fault_says_what_it_is_about_and_what_to_do() -> None:
    messages = [fault.message for fault in faults_of(TEN_FAULTS)]

    assert "default_plan names no plan: 'hoby'; did you mean hobby?" in messages
    assert "credits.ai.nam is no key of a credit type; did you mean name?" in messages
    assert "features.seats.type has no word 'METRED'; did you mean METERED?" in messages
    assert "plans.hobby.trial_days must lie between 0 and 730" in messages


def test_the_error_counts_the_faults_and_tells_the_first() -> None:
    error = CatalogueFaultsError(reversed(faults_of(TEN_FAULTS)))

    assert error.message == "catalog.toml:1:16: default_plan names no plan: 'hoby'; did you mean hobby? (and 10 more)"


def test_what_is_offered_and_not_named_is_told() -> None:
    catalogue = Catalogue(
        [
            feature(),
            feature("ai", FeatureType.CREDIT),
            feature("gone", archived_at=NOW),
            feature("images", FeatureType.CREDIT, credit_key="ai", cost=1),
        ],
        [plan("pro"), plan("old", status=PlanStatus.ARCHIVED), add_on("more")],
    )

    done = reviewed('features.api_calls = { name = "API calls", type = "METERED" }', catalogue)

    assert set(done.unmanaged) == {
        Part(ChangeKind.CREDIT_TYPE, "ai"),
        Part(ChangeKind.FEATURE, "images"),
        Part(ChangeKind.PLAN, "pro"),
        Part(ChangeKind.ADD_ON, "more"),
    }


def test_what_is_as_the_file_says_is_told() -> None:
    done = reviewed('features.api_calls = { name = "api_calls", type = "METERED" }', Catalogue([feature()]))

    assert (done.unchanged(), done.changes()) == ((Part(ChangeKind.FEATURE, "api_calls"),), ())


def test_of_a_great_many_faults_the_last_are_told_without_what_was_meant() -> None:
    catalogue = Catalogue([feature(f"feature_{number}") for number in range(100)])
    rows = "".join(f"featur_{number} = 1\n" for number in range(100))

    first, *_, last = faults_of(f'[plans.pro]\nname = "Pro"\n[plans.pro.features]\n{rows}', catalogue)

    assert first.message.endswith("names no feature; did you mean feature_0?")
    assert last.message.endswith(", … (80 more)")
