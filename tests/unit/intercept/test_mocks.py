"""The user's own mocks, started before or after the ledger is opened."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import respx
import vcr

from pytest_llmtrace.errors import UnmatchedRequest
from pytest_llmtrace.intercept import _refusal
from pytest_llmtrace.model import Outcome, Request

# A mocker for httpcore2 as a plugin would register it; the name is not the one that pytest-httpx2 takes.
if importlib.util.find_spec("httpx2"):

    class _Mocker(respx.mocks.HTTPCoreMocker):
        name = "httpcore2-of-this-test"
        targets = [target.replace("httpcore.", "httpcore2.") for target in respx.mocks.HTTPCoreMocker.targets]  # noqa: RUF012


@contextlib.contextmanager
def _respx(driver: Any, url: str, _: Path, *, using: str = "") -> Iterator[None]:
    core = "httpcore" if driver.library.__name__ == "httpx" else "httpcore2-of-this-test"
    with respx.mock(using=using or core, assert_all_called=False) as router:
        router.post(url).respond(201, text="mocked")
        yield


@contextlib.contextmanager
def _patched_transport(driver: Any, url: str, _: Path) -> Iterator[None]:
    """Patch the method of the transport, as pytest-httpx does."""
    kind = driver.library.AsyncHTTPTransport if driver.is_async else driver.library.HTTPTransport
    name = "handle_async_request" if driver.is_async else "handle_request"
    real = getattr(kind, name)

    def mocked(transport: Any, request: Any) -> Any:
        return driver.library.Response(201, text="mocked") if str(request.url) == url else real(transport, request)

    async def mocked_async(transport: Any, request: Any) -> Any:
        result = mocked(transport, request)
        return result if isinstance(result, driver.library.Response) else await result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, name, mocked_async if driver.is_async else mocked)
        yield


def _written(url: str, folder: Path) -> Path:
    path = folder / "cassette.yaml"
    path.write_text(
        "version: 1\ninteractions:\n"
        f"- request: {{method: POST, uri: '{url}', body: null, headers: {{}}}}\n"
        "  response: {status: {code: 201, message: Created}, headers: {}, body: {string: mocked}}\n"
    )
    return path


@contextlib.contextmanager
def _vcr(driver: Any, url: str, folder: Path) -> Iterator[None]:
    with vcr.use_cassette(str(_written(url, folder)), record_mode="none", match_on=["method", "uri"]):
        yield


@contextlib.contextmanager
def _recording_vcr(driver: Any, url: str, folder: Path) -> Iterator[None]:
    with vcr.use_cassette(str(_written(url, folder)), record_mode="new_episodes", match_on=["method", "uri"]):
        yield


@contextlib.contextmanager
def _cassetter(driver: Any, url: str, folder: Path) -> Iterator[None]:
    import cassetter

    with cassetter.use_cassette(str(_written(url, folder)), record_mode="none"):
        yield


Mock = Callable[[Any, str, Path], contextlib.AbstractContextManager[None]]
MOCKS: dict[str, tuple[Mock, type[Exception]]] = {
    "respx": (_respx, respx.models.AllMockedAssertionError),
    "pytest-httpx": (_patched_transport, UnmatchedRequest),
    "vcrpy": (_vcr, vcr.errors.CannotOverwriteExistingCassetteException),
    "vcrpy recording": (_recording_vcr, UnmatchedRequest),
}
if importlib.util.find_spec("cassetter"):
    MOCKS["cassetter"] = (_cassetter, importlib.import_module("cassetter.cassette").NoMatchError)


@contextlib.contextmanager
def _in_order(mock: contextlib.AbstractContextManager[None], trace: Any, *, first: bool) -> Iterator[Any]:
    if first:
        with mock:
            yield trace()
    else:
        ledger = trace()
        with mock:
            yield ledger


@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
@pytest.mark.parametrize(("mock", "unmatched"), MOCKS.values(), ids=MOCKS)
def test_a_mock_has_its_turn_before_a_request_is_refused(
    driver: Any, trace: Any, server: Any, tmp_path: Path, mock: Mock, unmatched: type[Exception], first: bool
) -> None:
    """A mock answers what it knows, and that is observed; other requests reach no socket, even if the mock records."""
    url = f"{server.url}/mocked"
    with _in_order(mock(driver, url, tmp_path), trace, first=first) as ledger:
        assert driver.post(url).text == "mocked"
        with pytest.raises(unmatched):
            driver.post(f"{server.url}/x")
    answered, refused = ledger.exchanges()
    assert (answered.outcome, answered.origin) == (Outcome.OBSERVED, "another mock")
    assert (answered.response.status, answered.response.body) == (201, b"mocked")
    assert refused.outcome is (Outcome.REFUSED if unmatched is UnmatchedRequest else Outcome.FAILED)
    assert (server.connections, ledger.blocked()) == (0, ())
    ledger.close()
    assert driver.post(server.url).text == "live"


@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_respx_works_again_and_again(driver: Any, trace: Any, server: Any, tmp_path: Path, first: bool) -> None:
    """Each time, respx looks at the names and parameters of what it patches, and puts back what it found."""
    url = f"{server.url}/mocked"
    for _ in range(3):
        with _in_order(_respx(driver, url, tmp_path), trace, first=first):
            assert driver.post(url).text == "mocked"
        with pytest.raises(UnmatchedRequest):
            driver.post(url)
    assert server.connections == 0


@pytest.mark.parametrize("library", ["httpx"])
@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_respx_at_the_client_is_observed(
    driver: Any, trace: Any, server: Any, tmp_path: Path, library: str, first: bool
) -> None:
    """The transport that a client chooses may also be respx's; requests it lets pass are answered or refused."""
    url = f"{server.url}/mocked"
    with _in_order(_respx(driver, url, tmp_path, using="httpx"), trace, first=first) as ledger:
        assert driver.post(url).text == "mocked"
    with respx.mock(using="httpx", assert_all_called=False) as router:
        router.route().pass_through()
        assert driver.post("http://llm.test/answered").text == "one two"
        with pytest.raises(UnmatchedRequest):
            driver.post(f"{server.url}/x")
    origins = [exchange.origin for exchange in ledger.exchanges()]
    assert origins == ["another mock or the network (respx: TryTransport)", "the script", "nobody"]
    assert server.connections == 0


def test_of_two_answers_the_mock_started_last_wins(driver: Any, trace: Any, tmp_path: Path) -> None:
    """Where a route of respx and an answer of ours both match, the order of starting decides."""
    url = "http://llm.test/answered"
    with _respx(driver, url, tmp_path):
        trace()
        assert driver.post(url).text == "one two"
    with _respx(driver, url, tmp_path):
        assert driver.post(url).text == "mocked"


def _text_for(library: str, url: str = "https://api.test/v1") -> list[str]:
    request = Request(method="POST", url=url)
    return str(_refusal.unmatched(request, why="why", label="test_x", library=library)).splitlines()


def test_a_mock_that_could_not_see_the_request_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mock of another generation of the library is silently inert: the error says so, and only then."""
    assert len(_text_for("httpx2")) == 3
    with respx.mock(using="httpx"), respx.mock(using="httpcore"):
        assert len(_text_for("httpx")) == 3
        assert _text_for("httpx2")[2] == (
            "respx is active, but patches httpcore and httpx only: this request came from httpx2, which it cannot see"
        )
    monkeypatch.setattr("httpx.HTTPTransport.handle_request", types.FunctionType(_text_for.__code__, {}))
    monkeypatch.setattr("httpx.HTTPTransport.handle_request.__module__", "pytest_httpx")
    assert len(_text_for("httpx")) == 3
    assert _text_for("httpx2")[2] == (
        "pytest-httpx is active, but patches httpx only: this request came from httpx2, which it cannot see"
    )


def test_a_request_of_a_package_s_own_accord_says_how_to_keep_it_from_it() -> None:
    """DSPy imports LiteLLM in its first call, and LiteLLM requests prices, which no author of a test expects."""
    path = "BerriAI/litellm/main/model_prices_and_context_window.json"
    assert _text_for("httpx", f"https://raw.githubusercontent.com/{path}")[2] == (
        "LiteLLM fetches its list of prices when it is imported; with LITELLM_LOCAL_MODEL_COST_MAP=True in the "
        "environment it uses the one that it ships"
    )
    assert _text_for("httpx", "https://api.cerebras.ai/v1/tcp_warming")[2] == (
        "Cerebras' SDK opens a connection whenever a client is made; with warm_tcp_connection=False it waits for the "
        "first call"
    )
