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
