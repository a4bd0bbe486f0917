"""What is written is TOML, and reads as a person would write it."""

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from app.services.catalogue.writing import block, comment, inline, pair

_TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
_VALUES = st.recursive(
    _TEXTS | st.integers(-(2**63), 2**63 - 1) | st.booleans(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "b_2", "c-d"]), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(value=_VALUES)
def test_any_value_reads_as_it_was_written(value: object) -> None:
    assert tomllib.loads(f"k = {inline(value)}") == {"k": value}
    assert tomllib.loads(pair("k", value)) == {"k": value}


@given(text=_TEXTS)
def test_any_text_fits_on_one_line_of_comment(text: str) -> None:
    line = comment(text)

    assert "\n" not in line
    assert tomllib.loads(line) == {}


def test_a_block_has_notes_a_header_and_a_line_per_value() -> None:
    text = block("plans.pro", {"name": "Pro", "grace": {"days": 7}, "prices": []}, ["for teams"])

    assert text == '# for teams\n[plans.pro]\nname = "Pro"\ngrace = { days = 7 }\nprices = []\n'


def test_a_long_list_has_a_line_per_element() -> None:
    text = pair("prices", [{"lookup_key": "x" * 50}, {"lookup_key": "y" * 50}])

    assert text.splitlines() == [
        "prices = [",
        f'  {{ lookup_key = "{"x" * 50}" }},',
        f'  {{ lookup_key = "{"y" * 50}" }},',
        "]",
    ]
