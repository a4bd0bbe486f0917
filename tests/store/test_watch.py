import pytest

from app.store.watch import StreamLostError, position_of


def test_position_is_the_cluster_time_at_the_head_of_the_token() -> None:
    token = {"_data": "826B010F22000000142B0429296E1404"}

    assert position_of(token) == (0x6B010F22, 0x14)
    assert position_of(None) is None


@pytest.mark.parametrize("data", ["", "82", "8X", "00112233445566778899", None, 7])
def test_token_of_another_kind_of_server_is_refused_by_name(data: object) -> None:
    with pytest.raises(StreamLostError, match="resume token"):
        position_of({"_data": data})
