"""Which service a client's span has called, as releases from 0.91 on infer it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from pytest_llmtrace._stdlib import re

__all__ = ["inferred"]

_KINDS = (
    ("database", ("db.system.name", "db.system"), ("db.namespace", "db.name")),
    ("queue", ("messaging.system",), ("messaging.destination.name", "messaging.destination")),
    ("rpc", ("rpc.system",), ("rpc.service",)),
)
"""Kinds of services in the order in which the server tries them, with the attributes of their system and their name."""
_HOSTS = ("server.address", "net.peer.name", "http.host")
_URLS = ("url.full", "http.url")
_OF_HTTP = ("http.request.method", "http.method", *_URLS)
_WITH_PORT = re.compile(r"\[([^\]]*)\].*|([^:]*):[0-9]+", re.DOTALL)


def inferred(attributes: Mapping[str, Any]) -> dict[str, str]:
    """Return the columns that the server infers from the attributes of a client's or producer's span."""
    declared = _text(attributes, "peer.service")
    for kind, systems, names in _KINDS:
        system, name = _first(attributes, systems), _first(attributes, names)
        if system or name:
            return _columns(declared or name or _host(attributes) or system, kind, system)
    name = declared or _host(attributes)
    return _columns(name, "external", "http" if _first(attributes, _OF_HTTP) else "") if name else {}


def _columns(name: str, kind: str, system: str) -> dict[str, str]:
    found = {"infer_service_name": name, "infer_service_type": kind, "infer_service_system": system}
    return {column: value for column, value in found.items() if value}


def _first(attributes: Mapping[str, Any], keys: Iterable[str]) -> str:
    return next(filter(None, (_text(attributes, key) for key in keys)), "")


def _text(attributes: Mapping[str, Any], key: str) -> str:
    """Return an attribute without white space around it; it may be named as its column is."""
    value = attributes.get(key, attributes.get(key.replace(".", "_")))
    return value.strip() if isinstance(value, str) else ""


def _host(attributes: Mapping[str, Any]) -> str:
    """Return the first host that is a name: one column for each IP address would be of no use."""
    hosts = (_without_port(_text(attributes, key)) for key in _HOSTS)
    named = next((host for host in hosts if host and not _is_address(host)), "")
    return named or _host_of(_first(attributes, _URLS))


def _without_port(host: str) -> str:
    found = _WITH_PORT.fullmatch(host)
    return host if found is None else found[1] or found[2] or ""


def _host_of(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    host = parts.hostname or ""
    return host if parts.scheme and not _is_address(host) else ""


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
