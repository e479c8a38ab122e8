"""The private names of other packages still have the shape that the port relies on."""

from __future__ import annotations

import ast
import functools
import http.client
import importlib
import inspect
import socket
import textwrap
import unittest.mock
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace import intercept
from pytest_llmtrace.intercept import _guard, _httpcore_internals, _httpx_internals, _pool_tap

SINGLE = _httpx_internals.SINGLE_REQUEST


def _original(function: Any) -> Any:
    return inspect.unwrap(function)


@pytest.mark.parametrize("kind", ["Client", "AsyncClient"])
def test_a_single_request_uses_little_of_its_client(library: str, kind: str) -> None:
    """A single request uses three attributes of its client; `StandIn` replaces the one that chooses the transport."""
    client = getattr(importlib.import_module(library), kind)
    function = _original(getattr(client, _httpx_internals.SINGLE_REQUEST))
    assert list(inspect.signature(function).parameters) == ["self", "request"]
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
    }
    assert used == _httpx_internals.USED_BY_IT
    [chooses] = [name for name in vars(_httpx_internals.StandIn) if name in used]
    assert list(inspect.signature(getattr(client, chooses)).parameters) == ["self", "url"]


def test_a_connection_has_its_network_stream(library: str) -> None:
    """The network stream of a connection shows whether it belongs to a mock backend or to the network."""
    core = importlib.import_module(library.replace("httpx", "httpcore"))
    origin = core.Origin(b"http", b"llm.test", 80)
    assert _httpcore_internals.is_mocked(core, core.HTTP11Connection(origin, core.MockStream([])))
    assert not _httpcore_internals.is_mocked(core, core.HTTP11Connection(origin, core.NetworkStream()))


def test_patches_keep_names_and_parameters(library: str) -> None:
    """Our patches keep names and parameters: mocks look for both, and are silently inert without them."""
    intercept.install()
    core = importlib.import_module(library.replace("httpx", "httpcore"))
    for kind, name in (
        (core.ConnectionPool, "handle_request"),
        (core.HTTPProxy, "handle_request"),
        (core.AsyncConnectionPool, "handle_async_request"),
        (core.AsyncHTTPProxy, "handle_async_request"),
    ):
        function = getattr(kind, name)
        assert function is not _original(function)
        assert function.__name__ == name
        assert inspect.getfullargspec(function).args == ["self", "request"]
        assert inspect.iscoroutinefunction(function) == inspect.iscoroutinefunction(_original(function))


@pytest.fixture
def transport(driver: Any, trace: Any) -> Any:
    trace()
    return driver.http_transport()


@pytest.fixture
def asks_first(driver: Any) -> Callable[[Any], bool]:
    name = "handle_async_request" if driver.is_async else "handle_request"
    return lambda transport: _pool_tap.asks_first(_httpx_internals.next_after(transport, driver.library, name))


@pytest.mark.parametrize("options", [{}, {"proxy": "http://proxy.test"}], ids=["direct", "proxy"])
def test_a_transport_of_the_library_leads_to_our_method(
    driver: Any, ledger: Any, asks_first: Callable[[Any], bool], options: dict[str, str]
) -> None:
    """The default transport leads to our method, so that its requests can be answered without going to the pool."""
    assert asks_first(driver.http_transport(**options))
    assert not asks_first(driver.library.MockTransport(lambda request: None))


@pytest.mark.parametrize("whose", ["transport", "pool"])
@pytest.mark.parametrize("how", ["subclass", "wraps", "wrapt", "on the instance", "autospec"])
def test_whoever_stands_between_has_the_first_turn(
    driver: Any, transport: Any, asks_first: Callable[[Any], bool], monkeypatch: Any, whose: str, how: str
) -> None:
    """A method that replaced the transport's method, or ours at the pool, is detected, since it has its turn first."""
    name = "handle_async_request" if driver.is_async else "handle_request"
    held = transport if whose == "transport" else transport._pool
    if how == "subclass":
        held.__class__ = type("Own", (type(held),), {name: lambda self, request: None})
    elif how == "wraps":
        original = getattr(type(held), name)
        monkeypatch.setattr(type(held), name, functools.wraps(original)(lambda *args: original(*args)))  # noqa: PLW0108
    elif how == "wrapt":
        import wrapt

        monkeypatch.setattr(type(held), name, wrapt.FunctionWrapper(getattr(type(held), name), lambda *args: None))
    elif how == "on the instance":
        setattr(held, name, lambda request: None)
    else:
        monkeypatch.setattr(type(held), name, unittest.mock.create_autospec(getattr(type(held), name)))
    assert not asks_first(transport)


def test_the_transports_are_left_alone(library: str) -> None:
    """The transports are not patched: a mock (vcrpy) keeps what it finds there as the original, for good."""
    module = importlib.import_module(library)
    intercept.install()
    assert not hasattr(module.HTTPTransport.handle_request, "__wrapped__")
    assert not hasattr(module.AsyncHTTPTransport.handle_async_request, "__wrapped__")


def test_patching_again_changes_nothing(library: str) -> None:
    """A function that is patched is not patched again, nor is somebody else's wrapper around our patch."""
    import functools

    client = importlib.import_module(library).Client
    intercept.install()
    before = client.__dict__[SINGLE], socket.socket.__dict__["connect"], socket.getaddrinfo
    intercept.ensure()
    assert before == (client.__dict__[SINGLE], socket.socket.__dict__["connect"], socket.getaddrinfo)
    with pytest.MonkeyPatch.context() as patch:

        @functools.wraps(before[0])
        def wrapped(self: Any, request: Any) -> Any:
            return before[0](self, request)

        patch.setattr(client, SINGLE, wrapped)
        intercept.ensure()
        assert client.__dict__[SINGLE] is wrapped


def test_a_patch_that_was_undone_is_made_again(driver: Any, trace: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the library's own function was put back, the next ledger patches it again and sees every request."""
    kind = driver.library.AsyncClient if driver.is_async else driver.library.Client
    monkeypatch.setattr(kind, SINGLE, _original(getattr(kind, SINGLE)))
    ledger = trace()
    driver.post("http://llm.test/answered")
    assert len(ledger.exchanges()) == 1


def test_a_patch_over_a_patch_counts_once(driver: Any, trace: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a function that calls our patch is patched again, the inner patch does nothing."""
    kind = driver.library.AsyncClient if driver.is_async else driver.library.Client
    ours = getattr(kind, SINGLE)

    def replaced(self: Any, request: Any) -> Any:
        return ours(self, request)

    async def replaced_async(self: Any, request: Any) -> Any:
        return await ours(self, request)

    monkeypatch.setattr(kind, SINGLE, replaced_async if driver.is_async else replaced)
    ledger = trace()
    driver.post("http://llm.test/answered")
    assert len(ledger.exchanges()) == 1


def test_the_standard_library_s_classes_are_found_behind_mocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real classes are found although mocks (vcrpy, pytest-socket) put classes of their own in their place."""
    real = socket.socket, http.client.HTTPConnection
    monkeypatch.setattr(http.client, "HTTPConnection", object)
    find = _guard._standard.__wrapped__
    assert (find(socket.SocketType, "socket", "socket"), find(object, "http.client", "HTTPConnection")) == real
