"""Instrumentors: on, off, or refusing."""

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
    """Installed packages with an instrumentor each, and a name that all of them use."""
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
    """The instrumentors that are on and want the SDK that the request names; nobody is asked of calls with spans."""
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
    """`instrument()` on a release out of its range logs an error and does nothing; that is seen, and which it wants."""
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
    """By its name or its package's, once however often it is asked: an app that switches it off has its reasons."""
    capture.switch_on([name])
    module().Fine().uninstrument()
    capture.switch_on([name])
    assert states()["made_up_fine"] is Switch.OFF
    assert caplog.records == []


def test_switch_on_what_the_app_has_switched_on(module: Callable[[], Any], caplog: pytest.LogCaptureFixture) -> None:
    """It is left as it is, without a warning of doing it twice."""
    module().Fine().instrument()
    capture.switch_on(["made_up_fine"])
    assert states()["made_up_fine"] is Switch.ON
    assert caplog.records == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("made_up_fin", "llmtrace_instrument: there is no instrumentor 'made_up_fin'; did you mean 'made_up_fine'?"),
        pytest.param(
            "made_up",
            "llmtrace_instrument: several packages have an instrumentor 'made_up'; "
            "name one: made-up-broken, made-up-fine, made-up-gone, made-up-picky",
            id="several",
        ),
    ],
)
def test_switch_on_what_is_not_clear(name: str, text: str, module: Callable[[], Any]) -> None:
    """A name that nobody has, or several have, is wrong use."""
    with pytest.raises(UsageError) as caught:
        capture.switch_on([name])
    assert str(caught.value) == text


def test_switch_on_what_cannot_be_loaded(module: Callable[[], Any]) -> None:
    """A module that does not have what its package promises is told with name and package, each time anew."""
    for _ in range(2):
        with pytest.raises(UsageError) as caught:
            capture.switch_on(["made_up_gone"])
        assert str(caught.value) == (
            "llmtrace_instrument: 'made_up_gone' of made-up-gone cannot be loaded: AttributeError: "
            "module 'llmtrace_made_up' has no attribute 'Gone'; install what it needs, or do not name it"
        )


def test_switch_on_what_raises(module: Callable[[], Any]) -> None:
    """What an instrumentor raises itself comes as it is, with its traceback, each time anew."""
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"^the SDK has moved$"):
            capture.switch_on(["made_up_broken"])


def suppress_language_model() -> Any:
    """As frameworks' instrumentors do around the SDK that they wrap."""
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
    """What instrumentors of LLM SDKs look at counts; the switch for HTTP spans alone does not."""
    with block():
        assert capture.ambient().suppressed is expected
    assert capture.ambient().suppressed is False


def test_private_names(module: Callable[[], Any]) -> None:
    """Guard: the one instance is `_instance`, and `_check_dependency_conflicts` tells what it needs and found."""
    classes = module()
    assert classes.Picky._instance is None
    picky: Any = classes.Picky()
    assert vars(classes.Picky)["_instance"] is picky
    conflict = picky._check_dependency_conflicts()
    assert (conflict.required, conflict.found) == ("pytest < 2", f"pytest {pytest.__version__}")
    assert classes.Fine()._check_dependency_conflicts() is None
