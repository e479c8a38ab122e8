"""Replay per call against the floor: the same SDK over a `MockTransport` that returns the same bytes."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import gc
import importlib.util
import random
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import openai

from benchmarks import _material as material
from benchmarks._material import LIBRARY
from benchmarks._measure import Cell, Plan, Result, Row, compared, interleaved, remote

FLOOR, OURS = "floor", "pytest-llmtrace"
AT_MOST = 1.10
PATIENCE = 0.25
"""Seconds after which a bout ends early: vcrpy compares a request with each recording before its own."""

WHAT = """\
Measured: the CPU time of one call of the SDK (nothing waits). The client and the cassette are open already, and the \
calls take the interactions of this one cassette in random order; n is the number of its interactions. Requests and \
replies differ from call to call, and each reply is checked to be the right one. No instrumentor is on: spans are part \
of [the suite](#a-suite).

- **floor**: the same SDK over `{library}.MockTransport`, which returns the same bytes in the same chunks without \
looking at the request; in a stream each event is a chunk. The ratio of every other candidate is to this.
- **pytest-llmtrace** also notes each exchange. Its checks run at the end of a test and are not measured here.
- **vcrpy** and **cassetter** match method, URL and body, since all requests go to one URL. By default they answer in \
recorded order without looking at the body, which is quicker. cassetter refuses files of more than 250,000 YAML nodes, \
so it is not in the rows with n = 10,000.
- **respx** has one route, whose side effect finds the reply by the number in the request.{respx}

Under vcrpy, cassetter and respx a stream is one chunk, which is less work than the floor does.

Target: pytest-llmtrace takes at most {at_most:.2f} times as long as the floor.

When all interactions were played, the cassette is opened again, outside of the time that is measured. Opening it \
displaces from the processor's caches what a call needs, so the floor opens and closes a cassette of pytest-llmtrace \
at the same places. Collections of the whole heap happen in few of the bouts, so the median leaves them out. Medians \
of {bouts} interleaved bouts of {calls} calls; a candidate that takes more than {patience:g} s for a bout is given 5 \
bouts only.
"""
RESPX = """ By itself respx replaces the transport of httpx only; here its mocker is given the names of httpcore2, as \
pytest-httpx2 does."""
WHY = """\
Replaying a plain call takes a fixed amount of time more than the floor, whatever n is. A stream takes longer in the \
SDK itself, so this amount weighs less there. It is spent on:

- finding the recording;
- noting the exchange: headers as text, what is current in the context, and ticks for the chunks;
- if the body's bytes differ from the recorded ones: reading it as JSON, writing it with sorted keys, and hashing it;
- if a mock or an instrumentation stands between the client and the connection pool: passing the request all the way \
to the pool.
"""


class Mode(NamedTuple):
    """How the SDK is called."""

    asynchronous: bool
    stream: bool

    def __str__(self) -> str:
        return f"{'async' if self.asynchronous else 'sync'}, {'stream' if self.stream else 'plain'}"


MODES = [Mode(asynchronous, stream) for asynchronous in (False, True) for stream in (False, True)]


# --- who answers -----------------------------------------------------------------------------------------------------


class Floor:
    """The handler of a mock transport, which answers with the reply that was announced."""

    def __init__(self, mode: Mode) -> None:
        self.next: list[bytes] = []
        self.mode = mode
        self.headers = material.headers(stream=mode.stream)

    def announce(self, number: int) -> None:
        """Prepare the next reply, outside of the time that is measured."""
        self.next = material.events(number, stream=self.mode.stream)

    def __call__(self, _: Any) -> Any:
        return LIBRARY.Response(200, headers=self.headers, stream=material.Chunks(self.next))


def _default_client(mode: Mode) -> Any:
    return (openai.AsyncOpenAI if mode.asynchronous else openai.OpenAI)(api_key="bench", max_retries=0)


def _ours(_: Mode, cassette: Path) -> AbstractContextManager[Any]:
    from pytest_llmtrace import LLMTrace
    from pytest_llmtrace.model import Settings

    return LLMTrace(settings=Settings(cassette=str(cassette), cassette_dirs=(cassette.parent,), verify=False))


def _vcrpy(_: Mode, cassette: Path) -> AbstractContextManager[Any]:
    import vcr

    return vcr.VCR(record_mode="none").use_cassette(str(cassette), match_on=["method", "uri", "body"])


def _cassetter(_: Mode, cassette: Path) -> AbstractContextManager[Any]:
    import cassetter

    own = material.cassetter_form(cassette)
    return cassetter.use_cassette(own, record_mode="none", match_on=["method", "uri", "body"])


@contextmanager
def _respx(mode: Mode, cassette: Path) -> Iterator[None]:
    import httpx
    import respx

    headers = material.headers(stream=mode.stream)
    size = int(cassette.stem.partition("-")[0])
    # Replies by whole body would amount to a cassette; the number in the body is enough to find one.
    replies = {f"Question{index:05}".encode(): material.reply(index, stream=mode.stream) for index in range(size)}

    def answer(request: Any) -> Any:
        start = request.content.index(b"Question")
        return httpx.Response(200, headers=headers, content=replies[request.content[start : start + 13]])

    with respx.mock(using=_mocker(), assert_all_called=False) as router:
        router.post("https://api.openai.com/v1/chat/completions").mock(side_effect=answer)
        yield


def _mocker() -> str:
    import respx

    if LIBRARY.__name__ == "httpx":
        return "httpcore"
    targets = [target.replace("httpcore.", "httpcore2.") for target in respx.mocks.HTTPCoreMocker.targets]
    name = "httpcore2-of-the-benchmark"
    if name not in respx.mocks.Mocker.registry:
        type("Mocker", (respx.mocks.HTTPCoreMocker,), {"name": name, "targets": targets})
    return name


OPENED = {OURS: _ours, "vcrpy": _vcrpy, "cassetter": _cassetter, "respx": _respx}


def able(size: int) -> list[str]:
    """Return the names of the installed tools that can play a cassette of that size."""
    modules = {OURS: "pytest_llmtrace", "vcrpy": "vcr", "cassetter": "cassetter", "respx": "respx"}
    able = [name for name in OPENED if importlib.util.find_spec(modules[name])]
    return [name for name in able if name != "cassetter" or size <= material.CASSETTER_READS]


# --- one process -----------------------------------------------------------------------------------------------------


class Caller:
    """Makes calls that one tool answers from a cassette of one size."""

    def __init__(self, subject: str, size: int, folder: Path) -> None:
        self.subject, self.size, self.folder = subject, size, folder
        self.open_now = ExitStack()
        self.random = random.Random(7)
        self.runner = asyncio.Runner()

    def prepare(self, mode: Mode) -> None:
        """Load the cassette, connect the client, and make a first call, which is not measured."""
        self.mode = mode
        self.cassette = material.cassette(self.folder, self.size, stream=mode.stream)
        self.floor = Floor(mode) if self.subject == FLOOR else None
        if self.floor is None:
            self.client = _default_client(mode)
        else:
            own = openai.DefaultAsyncHttpxClient if mode.asynchronous else openai.DefaultHttpxClient
            mocked = own(transport=LIBRARY.MockTransport(self.floor))
            self.client = _default_client(mode).copy(http_client=mocked)
        self._open()
        self.round(1)
        gc.collect()  # Garbage of loading must not be collected during the calls.

    def round(self, calls: int) -> float:
        """Make some calls; return the seconds that one takes on average."""
        took, made = 0.0, 0
        while made < calls and took < PATIENCE:
            took += self._made(self._next())
            made += 1
        return took / made

    def leave(self) -> None:
        """Close the cassette and the client."""
        self.open_now.close()
        self.client = self.floor = None

    def close(self) -> None:
        """Close everything."""
        self.runner.close()

    def _next(self) -> int:
        """Return the number of an interaction not yet played; when all were played, open the cassette again."""
        if not self.waiting:
            self._open()
        number = self.waiting.pop()
        if self.floor is not None:
            self.floor.announce(number)
        return number

    def _open(self) -> None:
        self.open_now.close()
        self.open_now.enter_context(OPENED.get(self.subject, _ours)(self.mode, self.cassette))
        if self.floor is not None:
            self.open_now.close()  # It was opened only for its effect on the processor's caches.
        self.waiting = list(range(self.size))
        self.random.shuffle(self.waiting)

    def _made(self, number: int) -> float:
        if self.mode.asynchronous:
            return self.runner.run(self._call_async(number), context=contextvars.copy_context())
        return self._call(number)

    def _call(self, number: int) -> float:
        asked = material.messages(number)
        start = time.process_time()
        reply = self.client.chat.completions.create(model=material.MODEL, messages=asked, stream=self.mode.stream)
        ids = {chunk.id for chunk in reply} if self.mode.stream else {reply.id}
        took = time.process_time() - start
        _check(ids, number)
        return took

    async def _call_async(self, number: int) -> float:
        asked = material.messages(number)
        start = time.process_time()
        reply = await self.client.chat.completions.create(model=material.MODEL, messages=asked, stream=self.mode.stream)
        ids = {chunk.id async for chunk in reply} if self.mode.stream else {reply.id}
        took = time.process_time() - start
        _check(ids, number)
        return took


def _check(ids: set[str], number: int) -> None:
    if len(ids) != 1 or f"Reply{number:05}" not in ids.pop():
        raise AssertionError(f"the reply to question {number} is that to another one")


# --- the table -------------------------------------------------------------------------------------------------------


def measure(plan: Plan, folder: Path) -> Result:
    """Measure all sizes and modes."""
    rows: dict[Mode, list[Row]] = {mode: [] for mode in MODES}
    for size in plan.sizes:
        with ExitStack() as stack:
            callers = {name: stack.enter_context(remote(Caller, name, size, folder)) for name in (FLOOR, *able(size))}
            for mode in MODES:
                rows[mode] += _measured(plan, size, mode, callers)
    return Result(
        name=f"replay, {LIBRARY.__name__}",
        title=f"Replay, per call ({LIBRARY.__name__})",
        what=WHAT.format(
            library=LIBRARY.__name__,
            respx=RESPX if LIBRARY.__name__ == "httpx2" else "",
            bouts=plan.bouts,
            calls=plan.calls,
            patience=PATIENCE,
            at_most=AT_MOST,
        ),
        rows=tuple(row for mode in MODES for row in rows[mode]),
        why=WHY,
    )


def _measured(plan: Plan, size: int, mode: Mode, callers: dict[str, Cell]) -> list[Row]:
    for ask in callers.values():
        ask("prepare", mode)
    cells = {name: functools.partial(ask, "round", plan.calls) for name, ask in callers.items()}
    measured = interleaved(cells, plan.bouts, patience=PATIENCE)
    for ask in callers.values():
        ask("leave")
    return compared(
        f"{mode}, n = {size:,}", measured, FLOOR, {OURS: AT_MOST}, lambda seconds: f"{seconds * 1e6:,.0f} us"
    )
