"""Decide which hosts may be reached: this machine, and the hosts that a test has named."""

from __future__ import annotations

import functools
import ipaddress
import socket
from collections.abc import Iterable

from pytest_llmtrace.errors import UsageError

__all__ = ["Hosts", "is_local", "names_of", "resolved"]

_names_of: dict[str, set[str]] = {}


def resolved(host: str, addresses: Iterable[str]) -> None:
    """Remember that a name stands for these addresses, since sockets are connected to addresses.

    The addresses are kept for the whole process: clients cache them from one test to the next.
    """
    for address in addresses:
        if address != host:
            _names_of.setdefault(address, set()).add(host)


def names_of(host: str) -> frozenset[str]:
    """Return the names that an address is known to stand for, else the host itself."""
    return frozenset(_names_of.get(host, (host,)))


def is_local(host: str) -> bool:
    """Tell whether a name or address is this machine; the machine's own name may stand for a network address."""
    return any(map(_is_local, (host, *_names_of.get(host, ()))))


@functools.lru_cache(maxsize=1024)
def _is_local(host: str) -> bool:
    name = _plain(host)
    if name in {"", "localhost", _plain(socket.gethostname())} or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified


class Hosts:
    """The hosts that a test has named.

    Args:
        patterns: `host`, `host:port` or `*.suffix`.

    Raises:
        UsageError: If a pattern is a URL or not a string.
    """

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        self._ports: dict[str, set[int | None]] = {}
        for pattern in patterns:
            self.admit(*_parsed(pattern))

    def admit(self, host: str, port: int | None = None) -> None:
        """Let one more host through, at all ports if none is given."""
        self._ports.setdefault(_plain(host), set()).add(port)

    def allow(self, host: str, port: int | None) -> bool:
        """Tell whether a host may be reached: as it is given, or by a name that is known to stand for it."""
        if not self._ports:
            return False
        return any(self._names(name, port) for name in (host, *_names_of.get(host, ())))

    def _names(self, host: str, port: int | None) -> bool:
        name = _plain(host)
        parents = (f"*.{name.split('.', n)[n]}" for n in range(1, name.count(".") + 1))
        ports = set[int | None]().union(*(self._ports.get(pattern, ()) for pattern in (name, *parents)))
        return bool(ports) if port is None else None in ports or port in ports


def _plain(host: str) -> str:
    return host.strip("[]").rstrip(".").lower()


def _parsed(pattern: str) -> tuple[str, int | None]:
    if not isinstance(pattern, str) or "/" in pattern:
        raise UsageError(f"allow_hosts takes host names (`host`, `host:port` or `*.suffix`), not {pattern!r}")
    host, colon, port = pattern.rpartition(":")
    if colon and port.isdigit() and (host.endswith("]") or ":" not in host):
        return host, int(port)
    return pattern, None
