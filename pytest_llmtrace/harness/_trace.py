"""The one object that users hold: it opens replay, interception and capture, closes them, verifies. Needs no pytest."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from pytest_llmtrace import capture, checks, clock, intercept, ownership
from pytest_llmtrace._arguments import RecordMode, here, merged, refuse
from pytest_llmtrace.canaries import Canaries
from pytest_llmtrace.conventions import named
from pytest_llmtrace.errors import UsageError, VerificationError
from pytest_llmtrace.harness._afterwards import after
from pytest_llmtrace.harness._captured import NOT_OPEN, Captured
from pytest_llmtrace.harness._desk import Desk, save
from pytest_llmtrace.harness._judgement import Judgement
from pytest_llmtrace.harness._scripted import Scripted
from pytest_llmtrace.model import Exchange, Finding, Known, Pairing, Settings, SpanKey, SpanRecord
from pytest_llmtrace.pairing import match

if TYPE_CHECKING:
    from pytest_llmtrace.record import Written

__all__ = ["LLMTrace"]

_PATIENCE = 1.0
"""How long to wait for work in other threads if a span is missing or still open, in seconds of real time."""


class LLMTrace(Captured, Scripted):
    """Replay, capture and verification for one test, or for one `with` block.

    When blocks are nested, the innermost answers. In a test, the fixture `llmtrace` is such an object, made with the
    arguments of the marker; elsewhere::

        with LLMTrace(gateway="openai") as trace:
            chat("hi")
            assert trace.llm_span().attributes["gen_ai.request.model"] == "gpt-4o-mini"

    What answers requests: `gateway`, `router`, `replay`, `record`; what goes wrong with an answer: `fault`. What was
    captured: `spans`, `span`, `llm_spans`, `llm_span`, `tree`, `exporter`, `logs`, `metrics`, `exchanges`,
    `openobserve`. What the checks found: `findings`, `verify`; `canary` gives a value for them to search for. All other
    methods are for code that runs tests, such as the pytest plugin.

    Args:
        cassette: The cassette that answers, by name or path.
        gateway: The gateway that answers with its default reply when nothing is queued.
        ignore: Waivers: a mapping of check ids, or `family/*`, to the reason.
        allow_unused: The reason why recordings that were not played are not reported.
        allow_hosts: Hosts that may be reached for real: `host`, `host:port` or `*.suffix`.
        verify: `error` raises on findings when the block ends, `warn` prints them, False does not verify.
        record: Whether requests reach the network and are recorded: `once` if there is no such cassette, `new` those
            that the cassette lacks, `all` all of them again. The cassette is written when the block ends without an
            error. `none`, or no value, only replays.
        budget: The most that the block may use: `tokens`, `cost` (in USD), `calls`.
        tool_repeats: How many calls of one tool with equal arguments and results are too many; 3 if not given.
        known: Known faults of instrumentors: `Known`, or mappings with its fields.
        conventions: The conventions that spans must keep: names, registry files; by default, those they claim to keep.
        content: What telemetry must do with content: `captured`, `redacted` or `absent`; not judged if not given.
        longest_attribute: How many characters an attribute may have; 65,536 if not given.
        openobserve: The OpenObserve profile of the releases that the spans go to; the `backend/` checks need it.
        openobserve_columns: The columns that the team's dashboards name.
        timing: How long replies take: `instant` (no time; the default), `recorded` (the recorded time, on a virtual
            clock), `real` (the recorded time, really waited for).
        settings: All of the above and more, as the pytest plugin reads them. The other arguments win over them;
            waivers, hosts, limits and known faults are added to them.

    Attributes:
        clock: The clock of the code under test: real, or virtual with `timing="recorded"`.
        settings: The settings in effect: `settings` and the other arguments, merged.
        is_open: Whether the trace answers and captures now.

    Raises:
        UsageError: If an argument has no meaning.
        CassetteError: If the cassette cannot be read.
        VerificationError: When the block ends, if there are findings of severity error that no call of `findings` or
            `verify` within it has reported.
    """

    def __init__(
        self,
        *,
        cassette: str | None = None,
        gateway: str | None = None,
        ignore: Mapping[str, str] | None = None,
        allow_unused: str | None = None,
        allow_hosts: Sequence[str] = (),
        verify: Literal["error", "warn", False] | None = None,
        record: RecordMode | None = None,
        budget: Mapping[str, float] | None = None,
        tool_repeats: int | None = None,
        known: Sequence[Known | Mapping[str, str]] = (),
        conventions: str | Path | Sequence[str | Path] = (),
        content: Literal["captured", "redacted", "absent"] | None = None,
        longest_attribute: int | None = None,
        openobserve: str | None = None,
        openobserve_columns: Sequence[str] = (),
        timing: clock.Timing | None = None,
        settings: Settings | None = None,
    ) -> None:
        base = settings or Settings(cassette_dirs=(here() / "cassettes", here()))
        given: dict[str, Any] = {
            "cassette": cassette,
            "gateway": gateway,
            "ignore": ignore,
            "allow_unused": allow_unused,
            "allow_hosts": allow_hosts,
            "verify": verify,
            "record": record,
            "budget": budget,
            "tool_repeats": tool_repeats,
            "known": known,
            "conventions": conventions,
            "content": content,
            "longest_attribute": longest_attribute,
            "openobserve": openobserve,
            "openobserve_columns": openobserve_columns,
            "timing": timing,
        }
        said = {name: value for name, value in given.items() if value is not None and value != ()}
        self.settings = replace(base, **merged(base, said)) if said else base
        self._canaries = Canaries(self.settings.seed or self.settings.label)
        self._profiles = named(self.settings.conventions)
        self.clock = clock.Clock(self.settings.timing)
        self._owner = ownership.Owner(self.settings.label)
        self._desk = Desk(self.settings, is_block=settings is None)
        self._exit = ExitStack()
        self._current: set[SpanKey] = set()
        self._held: frozenset[SpanKey] = frozenset()
        self._of_wider: frozenset[SpanKey] = frozenset()
        self._judgement = Judgement(self.settings, is_block=settings is None)
        self._to_be_played = False
        self.is_open = False

    # --- life ---

    def __enter__(self) -> Self:
        """Open capture and HTTP interception, and let the code in this context belong to this trace."""
        self.open()
        self._exit.enter_context(self.belonging())
        self.clock.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Save and verify, unless the block itself has raised; then close capture and HTTP interception."""
        __tracebackhide__ = True
        self.clock.stop()
        try:
            if error is None:
                for said in (*self.save(), *self.unrecorded("this block")):
                    print(f"llmtrace: {said}", file=sys.stderr)
            if error is None and self.settings.verify:
                self._settle()
        finally:
            self.close()

    def open(self) -> None:
        """Open capture and HTTP interception. Until `close`, code that belongs to no trace belongs to this one.

        Raises:
            UsageError: If the trace was opened before: what it has captured and judged is that of its first block.
        """
        if "_book" in vars(self):
            raise UsageError("a trace can be opened only once: make another LLMTrace(...) for another block")
        capture.install(app_exporters=self.settings.app_exporters)
        capture.switch_on(self.settings.instrument)
        self._watch = clock.Watch()
        with ExitStack() as stack:
            self._book = capture.open_book(self._owner)
            stack.callback(self._book.close)
            self._ledger = intercept.open_ledger(
                self._owner,
                answerer=self._desk,
                ambient=capture.ambient,
                allow_hosts=self.settings.allow_hosts,
                recorder=self._desk.recorder,
                timing=self.settings.timing,
                of_block=self._judgement.is_block,
            )
            stack.callback(self._ledger.close)
            stack.enter_context(ownership.active(self._owner))
            stack.enter_context(capture.context_kept())
            self._exit = stack.pop_all()
        self._before = capture.current_span()
        self.is_open = True

    def close(self) -> None:
        """Close capture and HTTP interception without verifying. What was captured stays readable."""
        self.clock.stop()
        self._exit.close()
        self.is_open = False

    def begin_fixtures(self) -> None:
        """Note that wider fixtures are set up: the spans that they hold open outlive the test, and are not judged."""
        self._of_wider = self._book.open_keys()

    def begin_test(self) -> None:
        """Note that the test's fixtures are set up: spans that they hold open now are judged after their teardown.

        Virtual time begins here, if the timing asks for it; `clock.stop` ends it.
        """
        self._held = self._book.open_keys()
        self._before = capture.current_span()
        self.clock.start()

    def belonging(self) -> AbstractContextManager[None]:
        """Let the code in this context, and the tasks and threads that it starts, belong to this trace."""
        return ownership.belonging_to(self._owner)

    @contextmanager
    def watching_context(self) -> Iterator[None]:
        """Note the span that is still current when this context ends, for the check `structure/span-current`."""
        before = capture.current_span()
        try:
            yield
        finally:
            self._note_current(before)

    # --- recording ---

    def record(self, cassette: str, mode: RecordMode | None = None) -> AbstractContextManager[None]:
        """Record the calls of a `with` block into a cassette, or replay the cassette if it exists.

        Args:
            cassette: The cassette's name.
            mode: A value of `--llmtrace-record`. Default: what that option says; outside pytest, `once`.

        Raises:
            UsageError: If the trace was never opened, or there is no such mode.
            CassetteError: If the cassette is missing and nothing is to be recorded, or it cannot be read.
        """
        if "_ledger" not in vars(self):
            raise UsageError(NOT_OPEN)
        if mode is not None:
            refuse("record", mode)
        return self._desk.recording(cassette, mode or self.settings.record or "once")

    def save(self) -> tuple[Written, ...]:
        """Write what was recorded, and return what became of each cassette.

        A `with` block does so when it ends without an error; a copy of the trace in a forked process never writes.

        Raises:
            CassetteError: If a cassette could not be written.
        """
        exchanges = () if self.is_copy else self._ledger.exchanges()
        return save(exchanges, checks.secrets_of(exchanges, self._canaries.given()))

    @property
    def is_recording(self) -> bool:
        """Whether something was recorded that `save` would write."""
        return self._desk.records and any(exchange.live for exchange in self._ledger.exchanges())

    # --- judgement ---

    def findings(self) -> tuple[Finding, ...]:
        """Judge what was captured so far; return all findings but waived and known ones, those of a baseline too."""
        verdict = self.judge()[1]
        return (*verdict.findings, *verdict.expected)

    def verify(self) -> None:
        """Judge what was captured so far, and raise on findings of severity error (on warnings too if strict).

        `verify=False` does not prevent this: it only switches off verification at the end. With `verify="warn"` nothing
        is raised.

        Raises:
            VerificationError: If there are such findings; the text is the report.
        """
        __tracebackhide__ = True
        evidence, verdict = self.judge()
        if self._judgement.fails(verdict, asked=True):
            raise VerificationError(self._judgement.report(evidence, verdict))

    def judge(
        self, *, complete: bool = True, to_be_called: bool = False, to_be_played: bool = False
    ) -> tuple[checks.Evidence, checks.Verdict]:
        """Collect the evidence, let the checks judge it, and return both; for callers that write their own report.

        Args:
            complete: False if the code under test failed midway, so that what is missing proves nothing.
            to_be_called: Whether fixtures may still make calls; then `late_report` says which waivers hide nothing.
            to_be_played: Whether fixtures may still clean up; then `late_report` judges the recordings for that.
        """
        evidence = self._evidence()
        self._to_be_played = to_be_played and any(leftover.of_cleanup for leftover in evidence.leftovers)
        if self._to_be_played:
            evidence = replace(evidence, leftovers=tuple(one for one in evidence.leftovers if not one.of_cleanup))
        return self._judgement.judge(evidence, complete=complete, to_be_called=to_be_called)

    def judge_by(self, settings: Settings) -> None:
        """Take settings that are known only when the code has run; what was judged before stands."""
        self.settings, self._profiles = settings, named(settings.conventions)
        self._judgement.settings = settings

    def fails(self, verdict: checks.Verdict) -> bool:
        """Tell whether a verdict fails the test under these settings."""
        return self._judgement.fails(verdict)

    def report(self) -> str:
        """Return the report on the last judgement; judge first if there was none."""
        return self._judgement.report(*(self._judgement.last or self.judge()))

    def late_report(self) -> tuple[checks.Verdict, str]:
        """Judge what came after the last judgement; return the verdict, and the report if it fails, else an empty text.

        Only what could not be seen before counts: requests that nothing answered, calls that fixtures have made and
        what their spans say about them, spans that fixtures have opened and not ended, recordings that fixtures might
        have played, and waivers that have hidden nothing by then.
        """
        if self._judgement.last is None:
            return checks.Verdict.none(), ""
        before, _ = self._judgement.last
        left = self._desk.leftovers(self._ledger.exchanges()) if self._to_be_played else ()
        cleanup = (leftover for leftover in left if leftover.of_cleanup)
        evidence = after(before, self._ledger, self._book, held=self._held - self._of_wider, leftovers=cleanup)
        return self._judgement.late_report(evidence)

    def account(self) -> dict[str, Any]:
        """Return counts as plain data: exchanges by origin, LLM spans by scope, findings, recordings of gone tests."""
        return {**self._judgement.account(self._seen), "gone": self._desk.gone()}

    def _seen(self) -> tuple[checks.Evidence, checks.Verdict]:
        if self._judgement.last is None and self.settings.verify is False:
            return self._evidence(patience=0), checks.Verdict.none()  # Its findings are not read.
        return self._judgement.last or self.judge(complete=False)

    def _settle(self) -> None:
        """Judge the block, and raise on findings that no judgement within the block has reported already."""
        __tracebackhide__ = True
        told = self._judgement.last[1].findings if self._judgement.last else ()
        evidence, verdict = self.judge()
        news = replace(verdict, findings=tuple(finding for finding in verdict.findings if finding not in told))
        if self._judgement.fails(news):
            raise VerificationError(self._judgement.report(evidence, news))
        if news.worth_saying:
            print(self._judgement.report(evidence, news), file=sys.stderr)  # Outside pytest nothing else does.

    def _note_current(self, before: SpanKey | None) -> None:
        now = capture.current_span()
        if now is not None and now != before:
            self._current.add(now)

    def _evidence(self, patience: float = _PATIENCE) -> checks.Evidence:
        left = tuple(self._owner.at_work)  # Before collecting spans: work that ends from now on may make one more.
        if self._book.collect() and patience:
            self._book.wait_for_others(patience, but=self._held)
        self._note_current(self._before)
        exchanges = self._ledger.exchanges()
        spans, paired = self._paired(exchanges, left, patience)
        return checks.Evidence(
            exchanges=exchanges,
            spans=spans,
            calls=paired.calls,
            strays=paired.strays,
            fetches=paired.fetches,
            held=self._held,
            blocked=self._ledger.blocked(),
            leftovers=() if self.settings.allow_unused else self._desk.leftovers(exchanges),
            untimed=self._desk.untimed(self.clock.obstacle),
            children=self._ledger.children.made(),
            logs=self._book.logs(),
            metrics=self._book.metrics(),
            opened_ns=self._watch.opened_ns,
            opened_at=self._watch.opened_at,
            lasted=self._watch.seconds,
            current=tuple(span for span in spans if span.key in self._current),
            absence=self._book.absence(exchanges) if paired.calls else None,
            silent=capture.silent(paired.calls),
            causes=capture.find_for_calls(paired.calls) if spans else {},
            budget=self.settings.budget,
            tool_repeats=self.settings.tool_repeats,
            content=self.settings.content,
            longest_attribute=self.settings.longest_attribute,
            canaries=self._canaries.given(),
            openobserve=self.settings.openobserve,
            openobserve_columns=tuple(self.settings.openobserve_columns) if self.settings.openobserve else (),
            now_ns=clock.wall_ns(),
            profiles=self._profiles,
        )

    def _paired(
        self, exchanges: Sequence[Exchange], left: Collection[Future[Any]], patience: float
    ) -> tuple[tuple[SpanRecord, ...], Pairing]:
        """Pair exchanges with spans; wait for a missing span that a thread pool may yet make (LiteLLM's callbacks)."""
        spans = self._book.spans()
        paired = match(exchanges, spans, self._book.logs())
        if left and any(not call.spans for call in paired.calls) and wait(left, patience).done:
            self._book.collect()
            spans = self._book.spans()
            paired = match(exchanges, spans, self._book.logs())
        return spans, paired
