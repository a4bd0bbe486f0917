"""Reading a mapping of customers to workspaces."""

from pathlib import Path

import pytest

from app.cli.failure import CommandError
from app.cli.mapping_file import Line, read_lines


def lines(directory: Path, content: str | bytes) -> list[Line]:
    file = directory / "mapping.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_lines(file))


@pytest.mark.parametrize(
    ("content", "found"),
    [
        pytest.param("cus_1,acme\n", [Line(1, "cus_1", "acme")], id="customer, then workspace"),
        pytest.param("Workspace, Customer\nacme,cus_1", [Line(2, "cus_1", "acme")], id="named"),
        pytest.param("\ufeffcus_1 , acme \r\n", [Line(1, "cus_1", "acme")], id="with a BOM and blanks"),
        pytest.param("# ours\n\ncus_1,acme,note\n", [Line(3, "cus_1", "acme")], id="what says nothing"),
        pytest.param('"cus_1","a,b"\n', [Line(1, "cus_1", "a,b")], id="quoted"),
        pytest.param("cus_1,acme\ncus_1,acme\n", [Line(1, "cus_1", "acme"), Line(2, "cus_1", "acme")], id="told twice"),
        pytest.param("", [], id="empty"),
    ],
)
def test_lines_that_are_right(tmp_path: Path, content: str, found: list[Line]) -> None:
    assert lines(tmp_path, content) == found


@pytest.mark.parametrize(
    ("content", "number", "says"),
    [
        pytest.param("cus_1\n", 1, "has 1 column: customer and workspace are needed", id="one column"),
        pytest.param("cus_1;acme\n", 1, "has 1 column", id="another separator"),
        pytest.param("cus_1,acme\ncus_2,\n", 2, "the workspace is empty: fill it in", id="no workspace"),
        pytest.param("cus_1,acme\ncus\0_2,acme\n", 2, "holds a NUL", id="NUL in a customer"),
        pytest.param("cus_1,\0acme\n", 1, "holds a NUL", id="NUL in a workspace"),
        pytest.param(",acme\n", 1, "the customer is empty", id="no customer"),
        pytest.param("cus_1,acme\ncus_1,other\n", 2, "'cus_1' is in line 1 too, with 'acme'", id="twice"),
    ],
)
def test_every_wrong_line_says_what_to_do(tmp_path: Path, content: str, number: int, says: str) -> None:
    found = lines(tmp_path, content)

    assert [line.number for line in found if line.fault] == [number]
    assert says in (found[-1].fault or "")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"cus_1,\xff\n", "is not UTF-8", id="other bytes"),
        pytest.param(b'cus_1,"acme\n', "is no CSV after line 0", id="an open quote"),
    ],
)
def test_what_is_no_text_of_that_kind_ends_it(tmp_path: Path, content: bytes, says: str) -> None:
    with pytest.raises(CommandError, match=says):
        lines(tmp_path, content)


def test_a_file_that_is_not_there_ends_it(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No such file"):
        list(read_lines(tmp_path / "missing.csv"))
