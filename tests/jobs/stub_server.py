"""A server's worker API that remembers what it was told, and can be away, slow or of another opinion."""

import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

RUN = "0" * 26


class Stub:
    def __init__(self) -> None:
        self.posts: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, list[tuple[int, dict[str, Any]]]] = {}  # by the path's last word, next first
        self.cancel = False
        self.slow: dict[str, float] = {}  # seconds that an answer takes, by the same word
        self.cut_off = 0  # uploads that end half-way
        self.claim: dict[str, Any] = {
            "run": RUN,
            "kind": "generate",
            "attempt": 1,
            "request": {},
            "resume_from_seq": 0,
        }
        self.port = 0
        self.start()

    def start(self) -> None:
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.answer(json.loads(self.body()))

            def do_PUT(self) -> None:
                if stub.cut_off:
                    stub.cut_off -= 1
                    self.rfile.read(int(self.headers["Content-Length"]) // 2)
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                    return
                path, _, query = self.path.rpartition("?")
                body = {"sha256": path.rpartition("/")[2], "query": query, "data": self.body()}
                self.path = "upload"
                self.answer(body)

            def body(self) -> bytes:
                return self.rfile.read(int(self.headers["Content-Length"]))

            def answer(self, body: dict[str, Any]) -> None:
                status, answer = stub.answer(self.path.removeprefix("/api/worker/"), body)
                data = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                pass

        ThreadingHTTPServer.allow_reuse_address = True
        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        verb = path.rpartition("/")[2]
        self.posts.append((verb, body))
        time.sleep(self.slow.get(verb, 0))
        if self.answers.get(verb):
            return self.answers[verb].pop(0)
        if verb == "claim":
            return 200, self.claim
        if verb == "hello":
            return 200, {"lease_s": 5.0, "heartbeat_s": 1.0, "flush_ms": 30.0, "memory_budget": 1 << 30}
        return 200, {"cancel": self.cancel}

    def posted(self, verb: str) -> list[dict[str, Any]]:
        return [body for each, body in self.posts if each == verb]
