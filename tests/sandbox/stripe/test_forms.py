import pytest

from app.sandbox.stripe.errors import StripeError
from app.sandbox.stripe.forms import boolean, decode_form, fields, integer, list_of, metadata, one_of, read, text


def test_brackets_nest() -> None:
    form = decode_form("customer=cus_1&items[0][price]=price_1&items[0][metadata][a%20b]=c%26d&items[1][price]=price_2")

    assert form == {
        "customer": "cus_1",
        "items": {"0": {"price": "price_1", "metadata": {"a b": "c&d"}}, "1": {"price": "price_2"}},
    }


def test_empty_brackets_append() -> None:
    assert read(decode_form("expand[]=a&expand[]=b"), {"expand": list_of(text)}) == {"expand": ["a", "b"]}


def test_array_elements_are_ordered_by_their_number() -> None:
    form = decode_form("&".join(f"ids[{number}]=id{number}" for number in (10, 2, 0)))

    assert read(form, {"ids": list_of(text)}) == {"ids": ["id0", "id2", "id10"]}


def test_values_are_read_as_their_type() -> None:
    form = decode_form("n=5&yes=true&name=&metadata[7]=x&price[interval]=month&gone=")

    assert read(
        form,
        {
            "n": integer,
            "yes": boolean,
            "name": text,
            "metadata": metadata,
            "price": fields(interval=one_of("day", "month")),
            "gone": fields(behavior=text),
        },
    ) == {"n": 5, "yes": True, "name": None, "metadata": {"7": "x"}, "price": {"interval": "month"}, "gone": None}


@pytest.mark.parametrize(
    ("query", "code", "param"),
    [
        pytest.param("other=1", "parameter_unknown", "other", id="unknown"),
        pytest.param("item[other]=1", "parameter_unknown", "item[other]", id="unknown inside"),
        pytest.param("n=five", "parameter_invalid_integer", "n", id="integer"),
        pytest.param("yes=1", None, "yes", id="boolean"),
        pytest.param("name[x]=1", None, "name", id="hash for a string"),
        pytest.param("item=x", None, "item", id="string for a hash"),
        pytest.param("item=x&item[n]=1", None, "item", id="both"),
        pytest.param("n=1&wanted=", "parameter_missing", "wanted", id="missing"),
    ],
)
def test_a_wrong_parameter_is_named(query: str, code: str | None, param: str) -> None:
    readers = {"n": integer, "yes": boolean, "name": text, "item": fields(n=integer), "wanted": text}

    with pytest.raises(StripeError) as caught:
        read(decode_form(query), readers, required=("wanted",) if "wanted" in query else ())

    assert (caught.value.code, caught.value.param) == (code, param)
