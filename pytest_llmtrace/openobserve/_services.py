"""Which service a client's span has called, as releases from 0.91 on infer it."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

__all__ = ["inferred"]

_INFERRED = ("infer_service_name", "infer_service_type", "infer_service_system")

_OTHERS = ("db.", "messaging.", "rpc.")
_HOSTS = ("server.address", "net.peer.name", "http.host")
_URLS = ("url.full", "http.url")
_BY_RULES = "inferred by rules of the server that depend on the kind of the called service"


def inferred(attributes: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the columns inferred from a client's or producer's span, and those that cannot be known here, and why."""
    if any(key.startswith(_OTHERS) for key in attributes):
        return {}, dict.fromkeys(_INFERRED, _BY_RULES)
    name = attributes.get("peer.service") or _host(attributes)
    if not isinstance(name, str) or not name:
        return {}, {}
    return {"infer_service_name": name, "infer_service_type": "external"}, {"infer_service_system": _BY_RULES}


def _host(attributes: Mapping[str, Any]) -> str | None:
    for key in (*_HOSTS, *_URLS):
        value = attributes.get(key)
        host = _bare(value, is_url=key in _URLS) if isinstance(value, str) else None
        if host is not None:
            return host
    return None


def _bare(value: str, *, is_url: bool) -> str | None:
    """Return a host without its port; `None` if it is an IP address, or there is none."""
    try:
        host = urlsplit(value if is_url else f"//{value}").hostname or ""
    except ValueError:
        return None
    try:
        ip_address(host)
    except ValueError:
        return host or None
    return None
