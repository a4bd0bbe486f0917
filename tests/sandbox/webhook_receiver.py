"""A webhook endpoint in a thread: keeps what it gets and answers what it is told to."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
import stripe
from sandbox.waiting import wait_until

SECRET = "whsec_receiver"


class Receiver:
    """`bodies` and `signatures` in order of arrival; `statuses` are used up first, then every answer is 200."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.bodies: list[bytes] = []
        self.signatures: list[str] = []
        self.statuses: list[int] = []

    @property
    def events(self) -> list[Any]:
        return [orjson.loads(body) for body in self.bodies]

    def verify_all(self) -> list[str]:
        """Return the types of all events, having checked each signature as the SDK does."""
        received = zip(self.bodies, self.signatures, strict=True)
        return [stripe.Webhook.construct_event(body, signature, SECRET).type for body, signature in received]

    def wait_for(self, count: int, timeout_s: float = 10) -> None:
        wait_until(lambda: len(self.bodies) >= count, timeout_s)


@contextmanager
def receive() -> Generator[Receiver]:
    one_at_a_time = threading.Lock()

    class Endpoint(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 5

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with one_at_a_time:  # a thread per request: bodies and signatures must stay in step
                receiver.signatures.append(self.headers["Stripe-Signature"])
                receiver.bodies.append(body)
            self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False
        request_queue_size = 128

    with Server(("127.0.0.1", 0), Endpoint) as server:
        receiver = Receiver(f"http://127.0.0.1:{server.server_address[1]}/webhooks/stripe")
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
