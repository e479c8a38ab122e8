"""What makes a connection by TLS."""

from __future__ import annotations

import errno
import ssl
from collections.abc import Mapping

__all__ = ["context"]


def context(files: Mapping[str, str]) -> ssl.SSLContext:
    """Return what believes a server, and says who we are.

    Args:
        files: `certificate` of the server, `client_certificate` and `client_key`, as far as they are wanted.

    Raises:
        OSError: A file cannot be read, or has something else in it.
    """
    made = ssl.create_default_context(cafile=files.get("certificate"))
    if "client_certificate" in files:
        made.load_cert_chain(files["client_certificate"], files.get("client_key"), _nobody)
    return made


def _nobody() -> str:
    """Stand for whoever knows a passphrase: OpenSSL would ask on the terminal, and wait."""
    raise OSError(errno.EINVAL, "the key has a passphrase")
