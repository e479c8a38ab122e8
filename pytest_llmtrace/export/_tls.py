"""Make the TLS context of a connection."""

from __future__ import annotations

import errno
import ssl
from collections.abc import Mapping

__all__ = ["context"]


def context(files: Mapping[str, str]) -> ssl.SSLContext:
    """Return a TLS context that verifies the server, and identifies us to it if there is a client certificate.

    Args:
        files: `certificate` of the server, `client_certificate` and `client_key`, as far as they are wanted.

    Raises:
        OSError: If a file cannot be read, or its content is not what TLS needs.
    """
    made = ssl.create_default_context(cafile=files.get("certificate"))
    if "client_certificate" in files:
        made.load_cert_chain(files["client_certificate"], files.get("client_key"), _nobody)
    return made


def _nobody() -> str:
    """Refuse to give a passphrase: without this callback OpenSSL would ask on the terminal, and wait."""
    raise OSError(errno.EINVAL, "the key has a passphrase")
