"""An HTTP server on this machine."""

from __future__ import annotations

import http.server
import threading
from typing import Any

__all__ = ["Serving"]


class Serving:
    """A server that runs in threads until it is closed, and counts the connections that reach it.

    Args:
        handler: Handles the requests; its log is silenced.
    """

    def __init__(self, handler: type[http.server.BaseHTTPRequestHandler]) -> None:
        outer = self
        self.connections = 0

        class Silent(handler):  # type: ignore[misc, valid-type]
            def log_message(self, *args: object) -> None:
                """Be silent."""

        class Counting(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def get_request(self) -> Any:
                accepted = super().get_request()
                outer.connections += 1
                return accepted

        self._server = Counting(("127.0.0.1", 0), Silent)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
