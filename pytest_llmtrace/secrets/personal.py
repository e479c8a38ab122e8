"""Data that identifies a person or an account: addresses, home folders, ids of users and organisations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pytest_llmtrace._stdlib import re
from pytest_llmtrace.secrets.shapes import is_stand_in

__all__ = ["REQUEST_ID", "Personal", "is_personal_field", "personal_in", "shown_personal"]


class Personal(NamedTuple):
    """A part of a text that identifies somebody, what it is, and the whole that it is a part of: `/home/jdoe`.

    `is_nobody` says that it only looks so, like an address at `example.com`, which belongs to nobody.
    """

    start: int
    end: int
    what: str
    value: str
    is_nobody: bool


_TEXT = re.compile(
    r"""(?x)
      (?P<email>(?<![\w.+%/:@-])[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,4}[A-Za-z]{2,18}(?![\w@]))
    | (?P<home>(?<![\w.)}\]-])(?:/home/|/Users/|[A-Za-z]:(?:\\{1,2}|/)Users(?:\\{1,2}|/))
        (?P<name>[A-Za-z0-9._-]{2,64})(?=[/\\]))
    | (?P<openai>(?<![A-Za-z0-9_-])(?:user|org|proj)[-_](?=[A-Za-z]*\d)[A-Za-z0-9]{20,40}(?![A-Za-z0-9_-]))
    | (?P<request>(?<![A-Za-z0-9_-])req_(?=[A-Za-z]*\d)[A-Za-z0-9]{16,40}(?![A-Za-z0-9_-]))
    | (?P<aws>(?<![\w-])arn:aws[a-z-]{0,20}:[a-z0-9-]{1,40}:[a-z0-9-]{0,40}:(?!0{12}|123456789012)(?P<number>\d{12}):)
    """
)
REQUEST_ID = "the id of a request"
_WHAT = {
    "email": "an email address",
    "home": "a home folder",
    "openai": "the id of a user, an organization or a project",
    "request": REQUEST_ID,
    "aws": "the number of an AWS account",
}
_PART = {"home": "name", "aws": "number"}
"""The group that is taken out, where that is not the whole match."""

# The paths at which fields are known to hold the id of an account; elsewhere a field of the same name is an
# application's own (a tool's argument, a schema).
_FIELDS = frozenset(
    {
        ("account_id",),
        ("error", "metadata", "user_id"),
        ("error", "user_id"),
        ("metadata", "account_id"),
        ("metadata", "organization_id"),
        ("metadata", "user_id"),
        ("organization",),
        ("organization_id",),
        ("safety_identifier",),
        ("user",),
        ("user_email",),
        ("user_id",),
    }
)

# RFC 2606 and 6761 reserve `example.com` and its like, so nobody has an address there; the others are placeholders.
_RESERVED = re.compile(
    r"(?i)(?:^|\.)(?:example\.(?:com|org|net|edu)|example|test|invalid|localhost|local|(?:my|your|some|the)?-?"
    r"(?:company|domain|email|mail|site|corp|org|acme|test|foo|bar|xyz|abc)\.(?:com|org|net|io|ai|dev))$"
)
_ROLES = frozenset(
    [
        "abuse",
        "admin",
        "billing",
        "bot",
        "contact",
        "feedback",
        "git",
        "hello",
        "help",
        "hi",
        "hostmaster",
        "info",
        "legal",
        "mail",
        "me",
        "noreply",
        "office",
        "postmaster",
        "press",
        "privacy",
        "sales",
        "security",
        "service",
        "support",
        "team",
        "test",
        "user",
        "username",
        "webmaster",
        "you",
        "your",
        "name",
        "email",
        "example",
    ]
)
_NO_TLDS = frozenset(
    ["css", "gif", "html", "jpeg", "jpg", "js", "json", "md", "png", "py", "svg", "ts", "txt", "webp", "yaml", "yml"]
)
_NOBODY = frozenset(
    [
        "app",
        "admin",
        "appuser",
        "circleci",
        "codespace",
        "coder",
        "container",
        "default",
        "demo",
        "developer",
        "example",
        "foo",
        "guest",
        "home",
        "jovyan",
        "linux",
        "me",
        "myuser",
        "name",
        "node",
        "oai",
        "public",
        "root",
        "runner",
        "runneradmin",
        "sandbox",
        "sbx",
        "shared",
        "someone",
        "test",
        "ubuntu",
        "user",
        "username",
        "vscode",
        "work",
        "workspace",
        "you",
        "your",
        "yourname",
        "your-name",
        "your_name",
        "yourusername",
    ]
)
_PLAIN_ID = re.compile(
    r"(?i)[a-z]{1,20}[-_ .]?\d{0,5}|\d{1,5}"
    r"|(?:.*[^a-z])?(?:anonymous|demo|dummy|example|fake|mock|sample|tests?|tester)(?:[^a-z].*)?"
)


def personal_in(text: str) -> Iterator[Personal]:
    """Yield the parts of a text that identify somebody, in order, and email addresses that are nobody's."""
    for found in _TEXT.finditer(text):
        kind = found.lastgroup or ""
        is_nobody = _is_nobody(kind, found[0])
        if not is_nobody or (kind == "email" and found[0].lower().rpartition(".")[2] not in _NO_TLDS):
            yield Personal(*found.span(_PART.get(kind, kind)), _WHAT[kind], found[0], is_nobody)


def _is_nobody(kind: str, value: str) -> bool:
    if kind == "email":
        name, _, domain = value.lower().partition("@")
        known = _RESERVED.search(domain) or domain.rpartition(".")[2] in _NO_TLDS
        return bool(known) or name.replace("-", "").replace("_", "") in _ROLES
    if kind == "home":
        return re.split(r"[/\\]+", value)[-1].lower() in _NOBODY
    return kind in {"openai", "request"} and is_stand_in(value)


def is_personal_field(steps: tuple[str | int, ...], value: str, *, of_error: bool = False) -> bool:
    """Tell whether a field of a body holds the id of a user or an account; ids that identify nobody do not count.

    Args:
        steps: The keys that lead to the field.
        value: The value of the field.
        of_error: Whether the body reports an error: then the provider wrote it, and each `user_id` is one of its own.
    """
    if steps not in _FIELDS or is_stand_in(value):
        return False
    return (of_error and steps[-1] == "user_id") or not _PLAIN_ID.fullmatch(value.strip())


def shown_personal(value: str) -> str:
    """Return what may be printed of personal data: the domain of an address, else how it begins and how long it is."""
    kind = re.match(r"/home/|/Users/|[A-Za-z]:[\\/]+Users[\\/]+|(?:user|org|proj)[-_]|arn:", value)
    if "@" in value and kind is None:
        return f"…@{value.rpartition('@')[2]}"
    return f"{kind[0] if kind else ''}…({len(value)} characters)"
