"""`entitled schema export` needs no server."""

from pathlib import Path

from support.command import Command

COMMITTED = (Path(__file__).parents[2] / "schema.graphql").read_text()


def test_the_schema_goes_to_stdout(entitled: Command) -> None:
    assert entitled("schema", "export").out == COMMITTED


def test_the_schema_goes_to_a_file(entitled: Command, tmp_path: Path) -> None:
    ran = entitled("schema", "export", "--output", str(tmp_path / "s.graphql"))

    assert (ran.code, ran.out) == (0, "")
    assert (tmp_path / "s.graphql").read_text() == COMMITTED


def test_a_file_that_cannot_be_written_is_one_line(entitled: Command, tmp_path: Path) -> None:
    file = tmp_path / "missing" / "s.graphql"

    ran = entitled("schema", "export", "--output", str(file))

    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert str(file) in ran.err
