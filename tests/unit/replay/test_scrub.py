"""Secrets are recognised by name, or by their form where they have no name."""

from typing import Any

import pytest

from pytest_llmtrace.replay import scrub


@pytest.mark.parametrize("name", ["Authorization", "x-api-key", "Set-Cookie", "OpenAI-Organization", "traceparent"])
def test_secret_headers(name: Any) -> None:
    """Secret headers of requests and responses are recognised in upper and lower case."""
    assert scrub.is_secret_header(name)
    assert not scrub.is_secret_header("content-type")


@pytest.mark.parametrize("name", ["api_key", "apiKey", "API-KEY", "client_secret", "refresh_token"])
def test_secret_fields(name: Any) -> None:
    """Secret fields are recognised in every spelling; a plain `token` belongs to log probabilities, so it stays."""
    assert scrub.is_secret_field(name)
    assert scrub.may_hold_secret_field(f'{{"{name}": 1}}'.encode())
    assert not scrub.is_secret_field("token")


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcdefgh1234",
        "sk-or-v1-0123456789abcdef",
        "sk-ant-api03-abc_DEF",
        "ek_68a1b2c3d4e5",
        "gsk_abcdefgh",
        "hf_abcdefgh",
        "AIzaSyA1234567890abcdefghijk",
        "AKIAIOSFODNN7EXAMPLE",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0abc.c2ln",
        "sk-abc***********xyz",
    ],
)
def test_text_is_masked(secret: Any) -> None:
    """Text that looks like a key is masked; words that only contain the beginning of a key are not."""
    assert scrub.mask_text(f"key {secret}, please") == f"key {scrub.MASK}, please"
    assert scrub.mask_text("Bearer abcdef123") == scrub.MASK
    assert scrub.mask_text("a task-based, risk-averse ask") == "a task-based, risk-averse ask"


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("https://a.test/v1?a=1", "https://a.test/v1?a=1"),
        ("https://me:pw@a.test:81/v1", "https://a.test:81/v1"),
        ("https://a.test/?key=x&mine=y&a=1", "https://a.test/?key=[secret]&mine=[secret]&a=1"),
        ("https://[broken", "https://[broken"),
        ("https://a.test/sk-abcdefghij/v1", "https://a.test/[secret]/v1"),
    ],
)
def test_urls_are_masked(url: Any, masked: Any) -> None:
    """A URL is shown without its credentials, and without the values of secret parameters."""
    assert scrub.mask_url(url, frozenset({"mine"})) == masked
