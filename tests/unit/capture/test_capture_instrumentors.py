"""The states of instrumentors: on, off or refused; and how they are switched on."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import context as otel_context
from opentelemetry.instrumentation.utils import suppress_http_instrumentation, suppress_instrumentation

from pytest_llmtrace import capture
from pytest_llmtrace.capture import instrumentors
from pytest_llmtrace.capture.instrumentors import Instrumentor, Switch, installed, silent
from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.model import Ambient, Call, Exchange, Maker, Outcome, Request, SpanKey, SpanRecord

MODULE = """
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor

class Fine(BaseInstrumentor):
    made = 0

    def __init__(self):
        type(self).made += 1

    def instrumentation_dependencies(self):
        return ["pytest >= 1"]

    def _instrument(self, **kwargs): ...

    def _uninstrument(self, **kwargs): ...

class Broken(Fine):
    _instance = None

    def _instrument(self, **kwargs):
        raise RuntimeError("the SDK has moved")

class Picky(Fine):
    _instance = None

    def instrumentation_dependencies(self):
        return ["pytest < 2"]
"""

PACKAGES = (
    ("made-up-fine", "Fine"),
    ("made-up-picky", "Picky"),
    ("made-up-broken", "Broken"),
    ("made-up-gone", "Gone"),
)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Install packages with one instrumentor each and one name that all share; return a function that imports them."""
    (tmp_path / "llmtrace_made_up.py").write_text(MODULE)
    for package, attribute in PACKAGES:
        info = tmp_path / f"{package.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(
            f"[opentelemetry_instrumentor]\nmade_up_{attribute.lower()} = llmtrace_made_up:{attribute}\n"
            f"made_up = llmtrace_made_up:{attribute}\n"
        )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "llmtrace_made_up", raising=False)
    monkeypatch.setattr(instrumentors, "_switched", set())
    return lambda: import_module("llmtrace_made_up")


def states() -> dict[str, Switch]:
    return {found.name: found.state for found in installed() if found.name in ("made_up_fine", "made_up_picky")}


def test_none_is_imported_to_be_asked(module: Callable[[], Any]) -> None:
    """An instrumentor that is not loaded is off; asking does not load it."""
    assert states() == {"made_up_fine": Switch.OFF, "made_up_picky": Switch.OFF}
    assert "llmtrace_made_up" not in sys.modules


@pytest.mark.parametrize(
    ("agent", "makers"),
    [
        ("Pytest/Python 9.0", (Maker(scope="made-up-fine", version="1.0"),)),
        ("AsyncAzurePytest/Python 9.0", (Maker(scope="made-up-fine", version="1.0"),)),
        ("OpenAI/Python 3.57.0", ()),
        ("", ()),
    ],
)
def test_who_is_on_for_a_call(module: Callable[[], Any], agent: str, makers: tuple[Maker, ...]) -> None:
    """`silent` names, for a call without spans, the instrumentors that are on and cover the SDK in the user agent."""
    classes = module()
    request = Request(method="POST", url="https://api/v1/chat/completions", headers=(("User-Agent", agent),))
    exchange = Exchange(
        index=3, request=request, response=None, outcome=Outcome.FAILED, origin="x", ambient=Ambient(), started=1
    )
    lacking = Call(exchanges=(exchange,), spans=())
    assert silent([lacking]) == {}
    classes.Fine().instrument()
    assert silent([lacking]) == ({3: makers} if makers else {})
    told = SpanRecord(key=SpanKey(1, 1), name="chat", scope="made_up", started=1)
    assert silent([Call(exchanges=(exchange,), spans=(told,))]) == {}


def test_states(module: Callable[[], Any], caplog: pytest.LogCaptureFixture) -> None:
    """On a release out of its range, `instrument()` only logs an error; the state says so, and which range it needs."""
    classes = module()
    classes.Fine().instrument()
    assert states() == {"made_up_fine": Switch.ON, "made_up_picky": Switch.OFF}
    classes.Picky().instrument()
    assert states() == {"made_up_fine": Switch.ON, "made_up_picky": Switch.REFUSED}
    assert (
        Instrumentor(
            name="made_up_picky",
            package="made-up-picky",
            state=Switch.REFUSED,
            needs="pytest < 2",
            found=f"pytest {pytest.__version__}",
        )
        in installed()
    )
    assert len(caplog.records) == 1
    assert classes.Fine.made == 1


@pytest.mark.parametrize("name", ["made_up_fine", "made-up-fine"])
def test_switch_on(name: str, module: Callable[[], Any], caplog: pytest.LogCaptureFixture) -> None:
    """An instrumentor is switched on by its name or package, and only once: an app may switch it off for a reason."""
    capture.switch_on([name])
    module().Fine().uninstrument()
    capture.switch_on([name])
    assert states()["made_up_fine"] is Switch.OFF
    assert caplog.records == []


def test_switch_on_what_the_app_has_switched_on(module: Callable[[], Any], caplog: pytest.LogCaptureFixture) -> None:
    """An instrumentor that the app has switched on is left as it is, without a warning that it is on already."""
    module().Fine().instrument()
    capture.switch_on(["made_up_fine"])
    assert states()["made_up_fine"] is Switch.ON
    assert caplog.records == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("made_up_fin", "there is no instrumentor 'made_up_fin'; did you mean 'made_up_fine'?"),
        pytest.param(
            "made_up",
            "several packages have an instrumentor 'made_up'; "
            "name one: made-up-broken, made-up-fine, made-up-gone, made-up-picky",
            id="several",
        ),
    ],
)
def test_switch_on_what_is_not_clear(name: str, text: str, module: Callable[[], Any]) -> None:
    """A name that no instrumentor has, or that several have, is wrong use."""
    with pytest.raises(UsageError) as caught:
        capture.switch_on([name])
    assert str(caught.value) == text


def test_switch_on_what_cannot_be_loaded(module: Callable[[], Any]) -> None:
    """A module without the class that its package declares is an error at each attempt, with name and package."""
    for _ in range(2):
        with pytest.raises(UsageError) as caught:
            capture.switch_on(["made_up_gone"])
        assert str(caught.value) == (
            "the instrumentor 'made_up_gone' of made-up-gone, which is to be switched on, cannot be loaded: "
            "AttributeError: module 'llmtrace_made_up' has no attribute 'Gone'; "
            "install what it needs, or do not name it"
        )


def test_switch_on_what_raises(module: Callable[[], Any]) -> None:
    """An exception of the instrumentor itself goes through unchanged, at each attempt."""
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"^the SDK has moved$"):
            capture.switch_on(["made_up_broken"])


def suppress_language_model() -> Any:
    """Return a block like the one that frameworks' instrumentors put around the SDK that they wrap."""
    return _with("suppress_language_model_instrumentation")


class _with:  # noqa: N801
    def __init__(self, key: str) -> None:
        self.key = key

    def __enter__(self) -> None:
        self.token = otel_context.attach(otel_context.set_value(self.key, True))  # noqa: FBT003

    def __exit__(self, *error: object) -> None:
        otel_context.detach(self.token)


@pytest.mark.parametrize(
    ("block", "expected"),
    [(suppress_instrumentation, True), (suppress_language_model, True), (suppress_http_instrumentation, False)],
)
def test_suppressed(block: Callable[[], Any], expected: bool) -> None:
    """Only the keys that instrumentors of LLM SDKs look at count as suppression; the one for HTTP spans does not."""
    with block():
        assert capture.ambient().suppressed is expected
    assert capture.ambient().suppressed is False


def test_private_names(module: Callable[[], Any]) -> None:
    """Guard: `_instance` is the one instance, and `_check_dependency_conflicts` says what it needs and found."""
    classes = module()
    assert classes.Picky._instance is None
    picky: Any = classes.Picky()
    assert vars(classes.Picky)["_instance"] is picky
    conflict = picky._check_dependency_conflicts()
    assert (conflict.required, conflict.found) == ("pytest < 2", f"pytest {pytest.__version__}")
    assert classes.Fine()._check_dependency_conflicts() is None
