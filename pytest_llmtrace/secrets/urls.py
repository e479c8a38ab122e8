"""Find secret and personal values in a URL. In its host nothing is edited: it is where the request goes."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote_plus

from pytest_llmtrace._stdlib import re
from pytest_llmtrace.secrets.body_text import Hit, hits_in_body, hits_in_text, moved
from pytest_llmtrace.secrets.edits import applied, edits_of
from pytest_llmtrace.secrets.names import is_mask, is_secret_parameter
from pytest_llmtrace.secrets.percent import Unquoted
from pytest_llmtrace.secrets.shapes import is_stand_in, shapes_in

__all__ = ["hits_in_header", "hits_in_url", "host_of", "is_url", "keys_in_host", "scrubbed_url"]

_AUTHORITY = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*+:)?//([^/?#@]*+@)?([^/?#]*+)")
_WHOLE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*+://\S++")
_PART = re.compile(r"([?&#])([^=&#]*+)=([^&#]*+)|[^/?&#]++")


def hits_in_url(url: str) -> Iterator[Hit]:
    """Yield the hits in a URL: its user, parameters with a secret name, and hits by their looks in path and query.

    A fragment may have parameters too: a redirect hands over a token in one (OAuth 2.0, RFC 6749, 4.2.2).
    """
    authority = _AUTHORITY.match(url)
    if authority is not None and authority[1]:
        yield Hit(*authority.span(1), "", "user", "the user of the URL", authority[1])
    for part in _PART.finditer(url, authority.end() if authority else 0):
        name = unquote_plus(part[2] or "")
        if not part[1]:
            text = Unquoted(part[0], part.start(), plus=False)
            yield from moved(text, hits_in_text(text.value))
            continue
        text = Unquoted(part[3], part.start(3), plus=True)
        if not is_secret_parameter(name):
            yield from moved(text, hits_in_text(text.value))
        elif not is_mask(text.value):
            place, what = f"query {name}", f"the parameter {name}"
            yield Hit(*part.span(3), place, "field", what, part[3], is_stand_in(text.value))


def host_of(url: str) -> str:
    """Return the host and the port of a URL, in lower case."""
    authority = _AUTHORITY.match(url)
    return "" if authority is None else authority[2].lower()


def keys_in_host(url: str) -> Iterator[Hit]:
    """Yield the texts in the host of a URL that look like a key."""
    host = host_of(url)
    for start, end, looks_like in shapes_in(host):
        yield Hit(start, end, "host", "shape", looks_like, host[start:end])


# Where browsers report to: whoever opens the page gets the key in such an address (Datadog's `dd-api-key=pub...`).
_FOR_BROWSERS = frozenset(
    {"content-security-policy", "content-security-policy-report-only", "nel", "report-to", "reporting-endpoints"}
)


def hits_in_header(name: str, value: str) -> Iterator[Hit]:
    """Yield the hits in the value of a header, which may be a URL (`Location`, `Referer`)."""
    if name.lower() in _FOR_BROWSERS:
        return iter(())
    return hits_in_url(value) if is_url(value) else hits_in_body(value)


def is_url(value: str) -> bool:
    """Tell whether a text is a URL as a whole."""
    return _WHOLE.fullmatch(value) is not None


def scrubbed_url(url: str) -> str:
    """Return a URL as it is written to a file."""
    return applied(url, edits_of(hits_in_url(url)))
