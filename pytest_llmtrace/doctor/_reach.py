"""Find out, by the standard library, whether a server takes connections; no request is sent to it."""

from __future__ import annotations

import socket
import ssl
import urllib.request
from typing import Final
from urllib.parse import urlsplit

__all__ = ["PATIENCE", "is_behind_proxy", "obstacle", "remedy"]

PATIENCE: Final = 5.0
"""Seconds that a connection, and then TLS, may take."""
_UNTRUSTED: Final = "is not trusted"
_WITHOUT_TLS: Final = "accepts the connection, but TLS fails"
_PORTS: Final = {"http": 80, "https": 443}


def is_behind_proxy(url: str) -> bool:
    """Tell whether the environment has a proxy for requests to an address, as `urllib` reads it."""
    parts = urlsplit(url)
    return parts.scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(parts.netloc)


def obstacle(url: str, timeout: float = PATIENCE, *, certificate: str | None = None) -> str:
    """Connect to the server of an address, with TLS if it is https.

    Args:
        url: The address.
        timeout: Limit for the connection, and for each wait of TLS after it, in seconds.
        certificate: A file of CA certificates for the server, if it is not to be judged by the system's own.

    Returns:
        What stands in the way, in words; "" if nothing does.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    where = f"port {port} of {host}"
    try:
        connection = socket.create_connection((host, port), timeout)
    except (socket.gaierror, UnicodeError):
        return f"DNS has no address for {host}"
    except ConnectionRefusedError:
        return f"{where} refuses the connection: nothing listens there"
    except TimeoutError:
        return f"{where} does not accept a connection within {timeout:g} s"
    except OSError as error:
        return f"{where} cannot be reached: {error.strerror or error}"
    with connection:
        if parts.scheme != "https":
            return ""
        try:
            context = ssl.create_default_context(cafile=certificate)
        except OSError as error:
            return f"the CA certificates in {certificate} cannot be used for {where}: {error.strerror or error}"
        return _tls_obstacle(connection, context, host, where, timeout)


def remedy(found: str, authority: str, otherwise: str) -> str:
    """Return what to do about an obstacle.

    Args:
        found: What stands in the way.
        authority: The variable that names a file of CA certificates.
        otherwise: What to do if the server takes no connection.
    """
    if _UNTRUSTED in found:
        return f"check the address, or set {authority} to a file with the CA of its certificate"
    if _WITHOUT_TLS in found:
        return "check the address: without TLS it begins with http://"
    return otherwise


def _tls_obstacle(connection: socket.socket, context: ssl.SSLContext, host: str, where: str, timeout: float) -> str:
    try:
        with context.wrap_socket(connection, server_hostname=host):
            return ""
    except ssl.SSLCertVerificationError as error:
        return f"the certificate of {where} {_UNTRUSTED}: {error.verify_message}"
    except TimeoutError:
        return f"{where} accepts the connection, but does not start TLS within {timeout:g} s"
    except ssl.SSLError as error:
        return f"{where} {_WITHOUT_TLS}: {error.reason or error}"
    except OSError as error:
        return f"{where} accepts the connection, but closes it before TLS: {error.strerror or error}"
