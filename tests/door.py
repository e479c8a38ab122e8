"""A listening socket that counts the connections to it."""

from __future__ import annotations

import socket
import threading

__all__ = ["Door"]


class Door:
    """A listening socket that counts connections and answers none."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.knocks = 0
        self.thread = threading.Thread(target=self._count)
        self.thread.start()

    def _count(self) -> None:
        while True:
            try:
                visitor, _ = self.listener.accept()
            except OSError:
                return
            with visitor:
                self.knocks += 1

    def environ(self, protocol: str) -> dict[str, str]:
        """Return the variables that make `openobserve_init()` send to this socket."""
        return {
            "OPENOBSERVE_URL": f"http://{self.address}",
            "OPENOBSERVE_AUTH_TOKEN": "Basic dummy",
            "OPENOBSERVE_ORG": "default",
            "OPENOBSERVE_PROTOCOL": protocol,
            "OTEL_SERVICE_NAME": "shop",
        }

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()
