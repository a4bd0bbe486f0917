"""The sandbox as a program: the socket that it listens on."""

import socket

from app.sandbox.stripe.__main__ import listen


def test_an_answer_in_several_pieces_does_not_wait_for_acknowledgements() -> None:
    with listen(0) as listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
