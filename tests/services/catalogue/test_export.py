"""A catalogue goes into a file and comes back whole."""

from hypothesis import given, settings
from support.catalogues import catalogue_of, catalogues, content, reviewed
from support.records import feature, limit, plan

from app.domain.plan import Catalogue
from app.services.catalogue.export import export_catalogue
from app.services.catalogue.syntax import LINE_MAX


@given(catalogue=catalogues())
@settings(max_examples=150)
def test_an_export_applied_to_nothing_makes_the_same_catalogue(catalogue: Catalogue) -> None:
    assert content(catalogue_of(export_catalogue(catalogue))) == content(catalogue)


@given(catalogue=catalogues())
@settings(max_examples=150)
def test_an_export_applied_to_its_catalogue_changes_nothing(catalogue: Catalogue) -> None:
    done = reviewed(export_catalogue(catalogue), catalogue)

    assert (done.faults.found, done.changes(), done.unmanaged) == ([], (), ())


@given(catalogue=catalogues())
def test_an_export_of_what_an_export_makes_is_the_same_text(catalogue: Catalogue) -> None:
    text = export_catalogue(catalogue)

    assert export_catalogue(catalogue_of(text)) == text


def test_only_the_latest_version_is_exported() -> None:
    versions = (plan("pro", limit(amount=10)), plan("pro", limit(amount=20), plan_version=2))

    text = export_catalogue(Catalogue([feature()], versions))

    assert "limit = 20" in text
    assert "limit = 10" not in text


def test_an_empty_catalogue_is_an_empty_file() -> None:
    assert export_catalogue(Catalogue()) == ""
    assert content(catalogue_of("")) == ([], [])


def test_no_line_is_longer_than_a_file_may_have() -> None:
    longest = "\x01" * 255
    crowded = plan("pro", name=longest, prices=tuple(plan(f"p{n}").prices[0] for n in range(200)))

    text = export_catalogue(Catalogue([feature(name=longest, unit=longest)], [crowded]))

    assert max(map(len, text.split("\n"))) <= LINE_MAX
    assert len(catalogue_of(text).plans()[0].prices) == 200
