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
_WITHOUT_TLS: Final = "takes the connection, and TLS fails"
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
        return f"DNS knows no address of {host}"
    except ConnectionRefusedError:
        return f"{where} refuses the connection: nothing listens there"
    except TimeoutError:
        return f"{where} does not take a connection within {timeout:g} s"
    except OSError as error:
        return f"{where} cannot be reached: {error.strerror or error}"
    with connection:
        if parts.scheme != "https":
            return ""
        try:
            context = ssl.create_default_context(cafile=certificate)
        except OSError as error:
            return f"{certificate} has no certificate to believe {where} by: {error.strerror or error}"
        return _tls_obstacle(connection, context, host, where, timeout)


def remedy(found: str, authority: str, otherwise: str) -> str:
    """Return what to do about an obstacle.

    Args:
        found: What stands in the way.
        authority: The variable that names a file of CA certificates.
        otherwise: What to do if the server takes no connection.
    """
    if _UNTRUSTED in found:
        return f"check the address, or name who signed the certificate in {authority}"
    if _WITHOUT_TLS in found:
        return "check the address: that of a server without TLS begins with http://"
    return otherwise


def _tls_obstacle(connection: socket.socket, context: ssl.SSLContext, host: str, where: str, timeout: float) -> str:
    try:
        with context.wrap_socket(connection, server_hostname=host):
            return ""
    except ssl.SSLCertVerificationError as error:
        return f"the certificate of {where} {_UNTRUSTED}: {error.verify_message}"
    except TimeoutError:
        return f"{where} takes the connection, and does not begin TLS within {timeout:g} s"
    except ssl.SSLError as error:
        return f"{where} {_WITHOUT_TLS}: {error.reason or error}"
    except OSError as error:
        return f"{where} takes the connection, and ends it before TLS: {error.strerror or error}"
