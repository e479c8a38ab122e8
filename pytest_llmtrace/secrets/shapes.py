"""What secrets look like, which values only stand in for one, and how a secret is shown.

`replay.scrub.mask_text` masks generously, since it masks what is printed. Here a false alarm has a price: somebody
reads it, and recordings are changed because of it. So a shape is specific to a provider and has the length of its keys,
and a value that says that it is not a secret (`sk-test`, `REDACTED`, `AKIAIOSFODNN7EXAMPLE`) is left alone.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from string import ascii_lowercase, ascii_uppercase
from typing import NamedTuple

from pytest_llmtrace._stdlib import re
from pytest_llmtrace.secrets.names import MASK
from pytest_llmtrace.secrets.words import words_of

__all__ = ["Shape", "is_stand_in", "masked", "may_hold_shape", "shapes_in", "shown"]


class Shape(NamedTuple):
    """A part of a text that looks like a secret, and what it looks like."""

    start: int
    end: int
    looks_like: str


_SHAPES = {
    "an Anthropic key": r"sk-ant-[a-z]{2,8}[0-9]{0,2}-[A-Za-z0-9_-]{16,}",
    "an OpenRouter key": r"sk-or-(?:v[0-9]-)?[A-Za-z0-9]{24,}",
    "an OpenAI key": r"sk-(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{16,}",
    "a Langfuse key": r"sk-lf-[0-9a-f-]{30,}",
    "a masked OpenAI key": r"sk-[A-Za-z0-9_-]{0,24}\*{3,}[A-Za-z0-9_*-]*",
    "a provider's key": r"sk-[A-Za-z0-9_-]{20,}",
    "an OpenAI Realtime secret": r"ek_[A-Za-z0-9]{16,}",
    "an OpenAI session": r"sess-[A-Za-z0-9]{30,}",
    "a Groq key": r"gsk_[A-Za-z0-9]{32,}",
    "an xAI key": r"xai-[A-Za-z0-9]{40,}",
    "a Perplexity key": r"pplx-[A-Za-z0-9]{32,}",
    "a Hugging Face token": r"hf_[A-Za-z0-9]{30,}",
    "a Cerebras key": r"csk-[a-z0-9]{32,}",
    "an NVIDIA key": r"nvapi-[A-Za-z0-9_-]{40,}",
    "a Fireworks key": r"fw_[A-Za-z0-9]{20,}",
    "a Replicate token": r"r8_[A-Za-z0-9]{30,}",
    "a Together key": r"tgp_v1_[A-Za-z0-9_-]{30,}",
    "a Logfire token": r"pylf_v[0-9]_[a-z]{2,}_[A-Za-z0-9]{20,}",
    "an OpenObserve token": r"o2(?:oi|syn)_[A-Za-z0-9]{24,}",
    "a LangSmith key": r"lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}",
    "a Pinecone key": r"pcsk_[A-Za-z0-9_]{50,}",
    "a Tavily key": r"tvly-(?:[a-z]{3,5}-)?[A-Za-z0-9]{24,}",
    "a Jina key": r"jina_[0-9a-f]{32}[A-Za-z0-9_-]{28}",
    "an E2B key": r"e2b_[0-9a-f]{40}",
    "a Databricks token": r"dapi[0-9a-f]{32}(?![A-Za-z0-9])",
    "a Google key": r"AIza[A-Za-z0-9_-]{35}",
    "a Google access token": r"ya29\.[A-Za-z0-9_-]{20,}",
    "an AWS key id": r"A[KS]IA[A-Z0-9]{16}(?![A-Za-z0-9])",
    "a JSON web token": r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{10,}",
    "a GitHub token": r"gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,}",
    "a GitLab token": r"glpat-[A-Za-z0-9_-]{20,}",
    "an npm token": r"npm_[A-Za-z0-9]{36}(?![A-Za-z0-9])",
    "a PyPI token": r"pypi-AgE[A-Za-z0-9_-]{60,}",
    "a SendGrid key": r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}",
    "a Vault token": r"hvs\.[A-Za-z0-9_-]{80,}",
    "a Slack token": r"xox[abeoprs]-[A-Za-z0-9-]{16,}",
    "a Slack webhook": r"hooks\.slack\.com/(?:services|triggers|workflows)/[A-Za-z0-9_/-]{20,}",
    "a Discord webhook": r"discord(?:app)?\.com/api/webhooks/[0-9]{15,22}/[A-Za-z0-9_-]{60,}",
    "an Azure storage key": r"AccountKey=[A-Za-z0-9+/]{86}==",
    "an Azure access key": r"SharedAccessKey=[A-Za-z0-9+/]{43}=",
    "a Stripe key": r"[rs]k_live_[A-Za-z0-9]{16,}",
    "a private key": r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----[A-Za-z0-9+/=\s]*+",
    "a bearer token": r"(?i:bearer)\ {1,8}[A-Za-z0-9._~+/=-]{20,}",
    "basic credentials": r"(?:basic|Basic|BASIC)\ {1,8}[A-Za-z0-9+/]{8,}={0,2}",
    "a key that was refused": r"(?<=(?i:api key provided: ))[^\s\"\\]{0,200}[^\s\"\\.]",
    # For example the URL of a proxy or of a database: only the password is the secret.
    "the password of a URL": r"(?<=://)[^\s/?#@:\"'<>\\]{0,100}:(?P<password>[^\s/?#@:\"'<>\\]{1,200})@[\w\[]",
}
_NAMES = tuple(_SHAPES)  # In the order of the groups of `_ANY`: those that are known by what is before them are last.
# Texts of which every secret contains one; they are found much faster than the shapes. Most stand in a long run of
# letters and digits, and nearly all of these begin with a whole word: one look at a text's words decides on them all.
_IN_RUNS = (
    *("sk-", "ek_", "sess-", "gsk_", "xai-", "pplx-", "hf_", "csk-", "nvapi-", "fw_", "r8_", "tgp_v1_"),
    *("pylf_v", "AIza", "ya29.", "AKIA", "ASIA", "eyJ", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "xox"),
    *("rk_live_", "sk_live_", "lsv2_", "pcsk_", "tvly-", "jina_", "e2b_", "dapi", "glpat-", "npm_", "pypi-", "SG."),
    *("o2oi_", "o2syn_"),
    *("hvs.", "hooks.slack.com/", "discord.com/api/webhooks/", "discordapp.com/api/webhooks/"),
)
_BEGINNINGS = tuple(mark for mark in _IN_RUNS if mark.isalnum())
_HEADS = frozenset(words_of(mark)[0] for mark in _IN_RUNS if not mark.isalnum())
_IN_TEXTS = ("***", "-----BEGIN ", "earer ", "BEARER ", "asic ", "BASIC ", "AccountKey=", "AccessKey=", "provided: ")
# Of nearly all places in a text, two letters tell that none of the shapes begins there: five times as fast (measured).
_BEGIN = "|".join(sorted({re.escape(mark[:2]) for mark in _IN_RUNS} | {"--", "Ac", "Sh", "[bB][aAeE]"}))
_AFTER = "(?<="
_ANY = re.compile(
    f"(?<![A-Za-z0-9_-])(?:(?={_BEGIN})(?:"
    + "|".join(f"({shape})" for shape in _SHAPES.values() if not shape.startswith(_AFTER))
    + ")|"
    + "|".join(f"({shape})" for shape in _SHAPES.values() if shape.startswith(_AFTER))
    + ")"
)
# The stretches that may hold a secret: bytes that are not text, such as those of an image, are passed over at once.
_STRETCH = re.compile(r"[^\x00-\x08\x0e-\x1f\x7f\udc80-\udcff]{6,}")

# The part of a key that tells only which provider it belongs to.
_PREFIX = re.compile(r"sk-|[A-Za-z]{2,5}_|xai-|pplx-|csk-|nvapi-|AIza|A[KS]IA|eyJ|xox[a-z]-|(?i:bearer|basic)\s")

_WORDS = frozenset(
    [
        "a",
        "access",
        "an",
        "and",
        "any",
        "anything",
        "anthropic",
        "api",
        "apikey",
        "asia",
        "akia",
        "auth",
        "azure",
        "aws",
        "bad",
        "bar",
        "basic",
        "baz",
        "bearer",
        "bot",
        "changeme",
        "cookie",
        "csk",
        "demo",
        "dummy",
        "ek",
        "empty",
        "fake",
        "filtered",
        "foo",
        "foobar",
        "fw",
        "ghp",
        "goes",
        "google",
        "groq",
        "gsk",
        "here",
        "hf",
        "hidden",
        "id",
        "in",
        "insert",
        "invalid",
        "is",
        "key",
        "litellm",
        "lm",
        "local",
        "localhost",
        "lorem",
        "me",
        "masked",
        "missing",
        "mistral",
        "mock",
        "mocked",
        "my",
        "nil",
        "no",
        "none",
        "not",
        "null",
        "of",
        "offline",
        "ollama",
        "openai",
        "openrouter",
        "or",
        "org",
        "organization",
        "our",
        "own",
        "pk",
        "placeholder",
        "please",
        "project",
        "proj",
        "pytest",
        "random",
        "real",
        "redacted",
        "removed",
        "replace",
        "sample",
        "sanitized",
        "scrubbed",
        "secret",
        "session",
        "set",
        "sk",
        "some",
        "string",
        "super",
        "test",
        "testing",
        "tests",
        "the",
        "this",
        "to",
        "token",
        "unit",
        "unset",
        "unused",
        "user",
        "v",
        "value",
        "vcr",
        "with",
        "wrong",
        "x",
        "xai",
        "xx",
        "xxx",
        "xxxx",
        "your",
    ]
)


def _begins(text: str) -> str:
    """Return a pattern that matches as much as it can of a text: all of it, its beginning, or nothing."""
    return "".join(f"(?:{letter}" for letter in text) + ")?" * len(text)


_SAYS_SO = re.compile(
    r"(?i)redacted|example|placeholder|scrubbed|dummy|sanitized|filtered|changeme|not-?a-?real|foobar|fake[-_]|[-_]fake"
    r"|[-_]test[-_]|(?<![a-z])x{3,}(?![a-z])|x{5,}"
)
# Characters that count up (12345, abcdef): no real key consists of them, but a key may have them beside other parts.
_COUNTING = re.compile(
    f"0?12345{_begins('67890')}|"
    + "|".join(f"{letters[:6]}{_begins(letters[6:])}" for letters in (ascii_lowercase, ascii_uppercase))
)
_BRACKETED = re.compile(r"\[[^\]]*\]|<[^>]*>|\{+[^}]*\}+|\$\{?\w+\}?|%\w+%")
_WORD = re.compile(r"[A-Za-z]+")
_LONGEST_NUMBER = 5


def may_hold_shape(text: str, runs: str) -> bool:
    """Tell cheaply whether a text needs a search for shapes; `bearer` in odd capitals (`beARer`) is not noticed.

    Args:
        text: The text.
        runs: The long runs that `runs_of` finds in it, one per line.
    """
    marks = _BEGINNINGS if _HEADS.isdisjoint(words_of(runs)) else _IN_RUNS
    if any(map(runs.__contains__, marks)) or any(map(text.__contains__, _IN_TEXTS)):
        return True
    return "://" in text and "@" in text


def shapes_in(text: str) -> Iterator[Shape]:
    """Yield the parts of a text that look like a secret, in order, without stand-ins."""
    for stretch in _STRETCH.finditer(text):
        for found in _ANY.finditer(text, *stretch.span()):
            looks_like = _NAMES[(found.lastindex or 1) - 1]
            part = "password" if found["password"] else 0
            is_one = _LOOSE.get(looks_like)
            if (is_one is None or is_one(found[part])) and not is_stand_in(found[part]):
                yield Shape(*found.span(part), looks_like)


def _is_random(value: str) -> bool:
    """Tell whether a key without a provider's own prefix has a long run of letters and digits, as words do not."""
    runs = re.split(r"[-_]", value)[1:]
    return any(
        len(run) >= 10 and any(map(str.isdigit, run)) and any(map(str.isalpha, run))  # noqa: PLR2004
        for run in runs
    )


def _is_password(value: str) -> bool:
    return value.lower() not in _PASSWORDS and not is_stand_in(value)


_PASSWORDS = frozenset({"mypassword", "pass", "passwd", "password", "pw", "pwd"})


def _is_user_and_password(value: str) -> bool:
    """Tell whether `Basic` is followed by base64 of a user and a password, of which either may be a key (RFC 7617)."""
    try:
        told = b64decode(value.split()[1], validate=True).decode()
    except ValueError:
        return False
    user, colon, password = told.partition(":")
    return bool(colon) and told.isprintable() and _is_password(password or user)


# The shapes that other texts have as well, and how secrets are told from those.
_LOOSE = {
    "a provider's key": _is_random,
    "basic credentials": _is_user_and_password,
    "the password of a URL": _is_password,
}


def is_stand_in(value: str) -> bool:
    """Tell whether a value only stands in for a secret: a mask, a variable, or words that say so."""
    value = value.strip()
    rest = _COUNTING.sub("", _BRACKETED.sub("", value))
    if _SAYS_SO.search(value) or not any(map(str.isalnum, rest)):
        return True
    if sum(map(len, re.findall(r"\d+", rest))) > _LONGEST_NUMBER:
        return False
    return all(word.lower() in _WORDS or set(word.lower()) == {"x"} for word in _WORD.findall(rest))


def shown(secret: str) -> str:
    """Return what may be printed of a secret: its provider's prefix and its length, nothing else."""
    prefix = _PREFIX.match(secret)
    return f"{prefix[0] if prefix else ''}…({len(secret)} characters)"


def masked(text: str) -> str:
    """Return a text in which everything that looks like a secret is masked."""
    parts, at = [], 0
    for shape in shapes_in(text):
        parts += [text[at : shape.start], MASK]
        at = shape.end
    return "".join([*parts, text[at:]])
