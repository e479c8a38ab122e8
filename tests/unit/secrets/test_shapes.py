"""The shapes of keys and passwords, and the quick look that comes before the search for them."""

from __future__ import annotations

import re
from base64 import b64encode

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pytest_llmtrace.secrets import shapes
from pytest_llmtrace.secrets.words import runs_of

BEHIND = re.compile(r"\(\?<=(?:\(\?i:)?([a-z:/ ]+)\)+")
"""The text that some shapes require before them."""


@pytest.mark.parametrize("name", shapes._SHAPES)
@settings(max_examples=30)  # For each shape; most of a key is any letter or digit.
@given(data=st.data(), around=st.tuples(st.text(max_size=5), st.text(max_size=5)))
def test_no_shape_is_passed_over(name: str, data: st.DataObject, around: tuple[str, str]) -> None:
    """Every shape has a mark that the quick look searches for, except `bearer` in odd capitals, as documented."""
    shape = shapes._SHAPES[name]
    before = BEHIND.match(shape)
    usual = BEHIND.sub("", shape).replace("(?i:bearer)", "(?:bearer|Bearer|BEARER)")
    found = data.draw(st.from_regex(usual, fullmatch=True))
    text = f"{before[1] if before else ''}{found}"
    whole = f"{around[0]}{text}{around[1]}"
    assume(shapes._ANY.match(whole, len(around[0]) + len(text) - len(found)))
    assert shapes.may_hold_shape(whole, "\n".join(runs_of(whole)))


HEX, MIXED = "0f1e2d3c4b5a6978" * 4, "aB3dEf6hIj9lMn2pQr5tUv8xYz" * 4
KEYS = {
    "a LangSmith key": f"lsv2_pt_{HEX[:32]}_{HEX[:10]}",
    "an OpenObserve token": f"o2oi_{MIXED[:32]}",
    "a Pinecone key": f"pcsk_{MIXED[:5]}_{MIXED[:60]}",
    "a Tavily key": f"tvly-dev-{MIXED[:32]}",
    "a Jina key": f"jina_{HEX[:32]}{MIXED[:28]}",
    "an E2B key": f"e2b_{HEX[:40]}",
    "a Databricks token": f"dapi{HEX[:32]}",
    "a GitLab token": f"glpat-{MIXED[:20]}",
    "an npm token": f"npm_{MIXED[:36]}",
    "a PyPI token": f"pypi-AgEIcHlwaS5vcmc{MIXED[:80]}",
    "a SendGrid key": f"SG.{MIXED[:22]}.{MIXED[:43]}",
    "a Vault token": f"hvs.{MIXED[:90]}",
    "a Slack webhook": f"hooks.slack.com/services/T{MIXED[:9]}/B{MIXED[:9]}/{MIXED[:24]}",
    "a Discord webhook": f"discord.com/api/webhooks/1{HEX[:1]}23456789876543212/{MIXED[:68]}",
    "an Azure storage key": f"AccountKey={MIXED[:86]}==",
    "an Azure access key": f"SharedAccessKey={MIXED[:43]}=",
}


@pytest.mark.parametrize(("looks_like", "key"), KEYS.items(), ids=KEYS.keys())
def test_keys_of_services_that_agents_use(looks_like: str, key: str) -> None:
    """A key is recognised by its beginning and its length."""
    text = f"call it with {key}, please"
    assert [(shape.looks_like, text[shape.start : shape.end]) for shape in shapes.shapes_in(text)] == [
        (looks_like, key)
    ]
    assert not list(shapes.shapes_in(f"call it with {key[:18]}, please"))


def basic(told: str) -> str:
    """Return the header value that a client sends for a user and a password."""
    return f"Basic {b64encode(told.encode()).decode()}"


@pytest.mark.parametrize(
    ("text", "looks_like", "secret"),
    [
        (f"Authorization: {basic('me:Zq8-77')}", "basic credentials", basic("me:Zq8-77")),
        (f"curl -H 'authorization: {basic('Zq8-77:')}'", "basic credentials", basic("Zq8-77:")),
        ("postgres://app:Zq8-77@db.test/shop", "the password of a URL", "Zq8-77"),
        ("redis://:Zq8-77@[::1]:6379", "the password of a URL", "Zq8-77"),
        ("DefaultEndpointsProtocol=https;AccountName=a;AccountKey=" + MIXED[:86] + "==;", "an Azure storage key", None),
    ],
)
def test_users_and_passwords(text: str, looks_like: str, secret: str | None) -> None:
    """`Basic` credentials are found as a whole if they decode to user and password; in a URL only the password is."""
    found = [(shape.looks_like, text[shape.start : shape.end]) for shape in shapes.shapes_in(text)]
    assert found == [(looks_like, secret or f"AccountKey={MIXED[:86]}==")]
    assert shapes.may_hold_shape(text, "\n".join(runs_of(text)))


@pytest.mark.parametrize(
    "text",
    [
        "sk-proj-your-key-goes-here-please",
        f"pk-lf-{HEX[:8]}-{HEX[:4]}-{HEX[:4]}-{HEX[:4]}-{HEX[:12]}",  # A public key, which every browser gets.
        "npm_config_registry_url_for_the_whole_workspace",
        "jina_embeddings_v3_base_en_text_matching_for_retrieval",
        "pypi-AgE",
        f"sha512-{MIXED}",
        "Basic understanding of telemetry",
        "basic authentication/authorization",
        f"Basic {MIXED[:24]}",  # It decodes to no user.
        basic("user:password"),
        basic("pytest:dummy"),
        basic("nothing to be told apart"),
        "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
        "https://hooks.slack.com/services/T1/B2",
        "AccountKey=...",
        "see https://a.test/x, or ask me@a.test: it is a:b@c",
        "git://user:$PASSWORD@a.test ssh://git@a.test:22/x",
    ],
)
def test_what_only_begins_like_a_key(text: str) -> None:
    """Placeholders, public keys, names of things, and words after `basic` are not finds."""
    assert not list(shapes.shapes_in(text))


def test_a_plain_text_needs_no_look() -> None:
    """The quick look is enough to see that a text without marks has no shapes."""
    text = "A standard for telemetry, of traces, metrics and logs."
    assert not shapes.may_hold_shape(text, "\n".join(runs_of(text)))


@given(st.text(alphabet="azAZ09+/._-=?é語\ud83d😀 \0\n", max_size=80))
def test_long_runs_are_found_where_they_stand(text: str) -> None:
    """The quick search for long runs finds the same as a pattern, in all scripts."""
    assert runs_of(text) == re.findall(r"[A-Za-z0-9+/._-]{16,}", text)
