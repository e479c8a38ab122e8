"""What answers a request: scripted gateways, then the router, then cassettes, those of the innermost block first.

Last comes the gateway of `gateway=`, which has a default reply. A fault is put on the answer of any of them, or comes
instead of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pytest_llmtrace import ownership, replay, wire
from pytest_llmtrace._stdlib import is_file
from pytest_llmtrace.canaries import Sought
from pytest_llmtrace.checks import Leftover, Untimed
from pytest_llmtrace.model import Answer, Answerer, Cassette, Exchange, Outcome, Recording, Request, Response, Settings

if TYPE_CHECKING:
    from pytest_llmtrace.faults import Faults
    from pytest_llmtrace.record import Recorder, Written
    from pytest_llmtrace.replay.gateways import Gateway
    from pytest_llmtrace.replay.router import Router

__all__ = ["Desk", "save"]

_NO_REQUEST = "no request came for it: the application makes fewer calls than expected, or something else answers them"
_NO_FAULT = "the test does not show the effect of this fault: there was no request that it could happen to"
# BackendSpanExporter of openai-agents (agents/tracing/processors.py) posts there from a thread, every five seconds.
_UPLOAD = "https://api.openai.com/v1/traces/ingest"
_RECORDED = "record    --llmtrace-record=new adds what the cassette lacks, all writes it anew"
_RECORDED_IN_BLOCK = 'record    record="new" adds what the cassette lacks, record="all" writes it anew'
_UNFREEZE = "freeze the time inside the test, or use time-machine there: neither disturbs virtual time"


class _Block(ownership.Block):
    """The code inside one `record(...)` or `replay(...)`, or of a whole trace that has a cassette.

    Attributes:
        player: The player of the cassette that answers first in this code; None if the file is rewritten.
        recorder: The recorder of this code's requests; None if they must not reach the network to be recorded.
        only_plays: Whether the block only adds answers, and recording goes on as in the code around it.
    """

    def __init__(self, player: replay.Player | None, recorder: Recorder | None, *, only_plays: bool = False) -> None:
        super().__init__()
        self.player = player
        self.recorder = recorder
        self.only_plays = only_plays


class Desk:
    """Everything that can answer in one trace, as one answerer.

    Args:
        settings: The settings, which name the cassette and the gateway that answer from the start.
        is_block: Whether the trace is a `with LLMTrace()` block, which records by its own argument, not by the option.

    Raises:
        CassetteError: If a cassette that was named is missing or cannot be read.
        UsageError: If the gateway, or a name in the configuration, is not known.
    """

    def __init__(self, settings: Settings, *, is_block: bool = False) -> None:
        self._settings = settings
        self._is_block = is_block
        self._config = replay.read_config(settings.replay) if settings.replay else replay.AS_VCRPY
        self._gateways: dict[str, Gateway] = {}
        self._router: Router | None = None
        self._faults: Faults | None = None
        self._blocks: list[_Block] = []
        self._players: list[replay.Player] = []
        self._players_of: dict[Path, replay.Player] = {}  # A file that is named again is played from where it was.
        self._recorders: dict[Path, Recorder] = {}
        self._fallback: Gateway | None = None
        self._silence = replay.Silence(default=settings.default_cassette, settings=self._config)
        if settings.gateway is not None:
            self._fallback = self._gateways[settings.gateway] = self._new_gateway(settings.gateway, default=True)
        self._default_origin: str | None = None
        mode = settings.record or "none"
        self._whole: tuple[_Block, ...] = ()
        if settings.cassette is not None:
            self._whole = (_Block(*self._use(settings.cassette, mode)),)
        elif settings.default_cassette is not None:
            self._whole = (_Block(*self._use_default(settings.default_cassette.absolute(), mode)),)
            self._default_origin = next((player.origin for player in self._players), None)

    def gateway(self, name: str) -> Gateway:
        """Return the gateway of that name, the same one throughout the trace."""
        known = self._gateways.get(name) if isinstance(name, str) else None
        if known is None:
            known = self._gateways[name] = self._new_gateway(name, default=False)
        return known

    @property
    def router(self) -> Router:
        """The respx router, made when first asked for."""
        if self._router is None:
            from pytest_llmtrace.replay.router import Router

            self._router = Router()
        return self._router

    @property
    def faults(self) -> Faults:
        """The planned faults, made when first asked for."""
        if self._faults is None:
            from pytest_llmtrace.faults import Faults

            self._faults = Faults(self._gateway_of, seed=self._settings.seed)
        return self._faults

    @contextmanager
    def recording(self, name: str, mode: str) -> Iterator[None]:
        """Let a cassette answer for the length of a block, or be recorded, as the mode says."""
        with self._open(_Block(*self._use(name, mode))):
            yield

    @contextmanager
    def playing(self, cassette: str | Cassette) -> Iterator[replay.Player]:
        """Let a cassette, given by name or as read, answer for the length of a block; recording goes on unchanged."""
        if not isinstance(cassette, Cassette):
            cassette = self._load(cassette, self._resolved(cassette))
        player = self._new_player(cassette)
        with self._open(_Block(player, None, only_plays=True)):
            yield player

    @contextmanager
    def _open(self, block: _Block) -> Iterator[None]:
        self._blocks.append(block)
        try:
            with ownership.within(block):
                yield
        finally:
            self._blocks.remove(block)  # By identity: blocks of several tasks end in any order.

    def recorder(self) -> Recorder | None:
        """Return the recorder of the running code's requests; None if they must not go to the network for that."""
        for block in self._around():
            if not block.only_plays:
                return block.recorder
        return None

    def _around(self) -> Sequence[_Block]:
        """Return the blocks that apply to the running code: those it is in, the other open ones, the whole trace's.

        The other open blocks apply too, the last one first, since code may run in a context of its own, such as a
        fixture's or a callback's.
        """
        if not self._blocks:
            return self._whole
        own = [block for block in ownership.blocks() if block in self._blocks]
        others = (block for block in reversed(self._blocks) if block not in own)
        return (*own, *others, *self._whole)

    def answer(self, request: Request) -> Answer | None:
        """Return the first answer that any answerer has, with a fault if one is due."""
        return self._first(request) if self._faults is None else self._faults.answer(request, self._first)

    def _first(self, request: Request) -> Answer | None:
        for answerer in self._in_order():
            found = answerer.answer(request)
            if found is not None:
                return found
        return self._mute(request)

    def _mute(self, request: Request) -> Answer | None:
        """Swallow the traces that openai-agents uploads by itself, just as the app's OTLP exporters are muted."""
        if request.url != _UPLOAD or self._settings.app_exporters == "live":
            return None
        return Answer(response=Response(status=204), origin="muted: traces of openai-agents")

    def explain(self, request: Request) -> str:
        """Say for each answerer why it has no answer, and how to record one."""
        answerers: list[Answerer] = [*self._in_order()] or [self._silence]
        said = [text for answerer in answerers if (text := answerer.explain(request))]
        files = [player for player in self._players_of.values() if not replay.is_builtin(player.cassette.label)]
        if any(player.compares(request) for player in files):
            said.append(_RECORDED_IN_BLOCK if self._is_block else _RECORDED)
        return "\n".join(said)

    def leftovers(self, exchanges: Sequence[Exchange]) -> tuple[Leftover, ...]:
        """Return how much each answerer had ready and what of it was not asked for, and the faults that did not happen.

        Args:
            exchanges: The requests that were made. If a user's own mock answered any, it may have played the file that
                is our default cassette; that one then counts only if it has answered here.
        """
        scripted: list[Gateway | Router] = [*self._gateways.values()]
        if self._router is not None:
            scripted.append(self._router)
        # New recordings in the same file may replace those that were not played.
        added_to = {id(player) for path, player in self._players_of.items() if path in self._recorders}
        players = [player for player in self._players if id(player) not in added_to]
        mocked = any(exchange.outcome is Outcome.OBSERVED for exchange in exchanges)
        if mocked and self._settings.cassette is None:
            players = [player for player in players if player.origin != self._default_origin or player.has_played]
        recorded = map(self._left_over, players)
        asked_for = [
            Leftover(origin=source.origin, unplayed=source.unplayed(), total=source.total, why=_NO_REQUEST)
            for source in scripted
        ]
        return (*recorded, *asked_for, *self._faults_left())

    def _left_over(self, player: replay.Player) -> Leftover:
        unplayed = player.unplayed()
        return Leftover(
            origin=player.origin,
            unplayed=tuple(map(self._title, unplayed)),
            total=player.total,
            of_cleanup=bool(unplayed) and not any(wire.identify(recording.request) for recording in unplayed),
        )

    def _title(self, recording: Recording) -> str:
        request, test = recording.request, recording.test
        of_another = f", recorded by {test}" if test not in {"", self._settings.test} else ""
        return f"{request.method} {urlsplit(request.url).path}  (interaction {recording.index}{of_another})"

    def _faults_left(self) -> Iterator[Leftover]:
        if self._faults is not None:
            never = self._faults.never_happened()
            yield Leftover(origin="faults", unplayed=never, total=self._faults.total, why=_NO_FAULT)

    def _gateway_of(self, request: Request) -> str:
        """Name the gateway in whose form to answer a request: the cloud of its path, a scripted one, or the host's."""
        from pytest_llmtrace.replay.gateways import GATEWAYS, cloud_of

        api = wire.identify(request)
        api = "chat" if api == "completions" else api or "chat"
        scripted = next((gateway.name for gateway in self._gateways.values() if gateway.has_reply(request)), None)
        name = cloud_of(request) or scripted or self._gateway_of_host(request)
        if name in GATEWAYS and api in GATEWAYS[name].forms:
            return name
        return "anthropic" if api == "messages" else "openai"

    def _gateway_of_host(self, request: Request) -> str:
        """Name the gateway of a request's host; if its name does not tell, by what it has answered in a cassette."""
        name, host = wire.gateway(request), urlsplit(request.url).netloc
        players = (block.player for block in self._around() if block.player is not None)
        recordings = (recording for player in players for recording in player.cassette.recordings)
        of_host = (one for one in recordings if urlsplit(one.request.url).netloc == host) if name == "other" else ()
        return next((found for one in of_host if (found := wire.gateway(one.request, one.response)) != name), name)

    def untimed(self, obstacle: str | None) -> tuple[Untimed, ...]:
        """Return what was played at once although the settings ask for its recorded or real time.

        Args:
            obstacle: Why virtual time could not begin; None if it could, or was not wanted.
        """
        if self._settings.timing == "instant":
            return ()
        if obstacle is not None:
            return (Untimed(origin="this test", reasons=(obstacle,), next=_UNFREEZE),)
        played = ((player.origin, player.untimed()) for player in self._players)
        return tuple(Untimed(origin=origin, reasons=reasons) for origin, reasons in played if reasons)

    def gone(self) -> list[tuple[str, str, int]]:
        """Return the tests that recorded part of what was played and no longer exist: file, test, how many."""
        return [(player.origin, test, number) for player in self._players for test, number in player.gone()]

    @property
    def records(self) -> bool:
        """Whether anything is or was to be recorded."""
        return bool(self._recorders)

    def _in_order(self) -> Iterator[Answerer]:
        yield from (gateway for gateway in self._gateways.values() if gateway is not self._fallback)
        if self._router is not None:
            yield self._router
        for block in self._around():
            if block.player is not None:
                yield block.player
        if self._fallback is not None:
            yield self._fallback

    def _use(self, name: str, mode: str) -> tuple[replay.Player | None, Recorder | None]:
        """Return the player and the recorder of a cassette in a mode; either may be None.

        `none` plays it, `once` records it if it is missing, `new` adds to it, `all` replaces it. A file has one player
        and one recorder in a trace, so that a block that names it again goes on with them.
        """
        if mode == "none" or replay.is_builtin(name):
            return self._player_of(name), None
        found = replay.find(name, dirs=self._settings.cassette_dirs)
        path = (found or replay.new_path(name, dirs=self._settings.cassette_dirs)).absolute()
        recorder = self._recorders.get(path)
        if recorder is not None and recorder.mode != "new":
            return None, recorder  # The file is being rewritten: what it still holds is its old content.
        by_another = path in self._settings.recorded
        player = self._player_of(name) if found is not None and (mode != "all" or by_another) else None
        if found is not None and mode == "once" and not by_another:
            return player, None
        if recorder is None:
            recorder = self._recorders[path] = self._new_recorder(path, mode, by_another=by_another)
        return player, recorder

    def _new_recorder(self, path: Path, mode: str, *, by_another: bool) -> Recorder:
        """Return the recorder of a file; it only adds to a file that another test of the run has recorded into."""
        from pytest_llmtrace.record import Recorder, refuse_unsupported

        refuse_unsupported(self._settings.replay, mode)
        kind: Any = "new" if by_another else mode
        return Recorder(
            path,
            mode=kind,
            settings=self._config,
            config=self._settings.replay,
            test="" if self._is_of_its_own(path) else self._settings.test,
            earlier=self._settings.recorded.get(path) if mode == "all" else None,
        )

    def _use_default(self, path: Path, mode: str) -> tuple[replay.Player | None, Recorder | None]:
        """Do the same as `_use` with the default cassette, which need not exist."""
        if mode != "none":
            return self._use(str(path), mode)
        return (self._player_of(str(path), path) if is_file(path) else None), None

    def _is_of_its_own(self, path: Path) -> bool:
        """Tell whether a file is the default cassette, and no other test has it."""
        default = self._settings.default_cassette
        return default is not None and path == default.absolute() and not self._settings.default_is_shared

    def _player_of(self, name: str, found: Path | None = None) -> replay.Player:
        how = 'record="once"' if self._is_block else "pytest --llmtrace-record=once"
        found = found or self._resolved(name, advice=f"to record it: {how}")
        path = found.absolute()
        if path not in self._players_of:
            self._players_of[path] = self._new_player(self._load(name, found))
        return self._players_of[path]

    def _resolved(self, name: str, *, advice: str = "") -> Path:
        return replay.resolve(name, dirs=self._settings.cassette_dirs, advice=advice)

    def _load(self, name: str, path: Path) -> Cassette:
        # Reports name a cassette that ships with the package as users do, any other by its file.
        label = name if name.startswith("builtin:") else None
        return replay.load(path, label=label, cache_dir=self._settings.cache_dir)

    def _new_player(self, cassette: Cassette) -> replay.Player:
        player = replay.Player(cassette, config=self._config, test=self._settings.test, is_gone=self._settings.is_gone)
        self._players.append(player)
        return player

    def _new_gateway(self, name: str, *, default: bool) -> Gateway:
        from pytest_llmtrace.replay.gateways import Gateway

        return Gateway(name, default=default, seed=self._settings.seed)


def save(exchanges: Sequence[Exchange], known: Iterable[Sought]) -> tuple[Written, ...]:
    """Write each cassette once, however many blocks have recorded into it.

    Args:
        exchanges: The exchanges of a trace; each names its recorder.
        known: The secrets of the trace.

    Raises:
        CassetteError: If a cassette could not be written.
    """
    of: dict[Any, list[Exchange]] = {}
    for exchange in exchanges:
        if exchange.recorder is not None:
            of.setdefault(exchange.recorder, []).append(exchange)
    secrets = tuple(known)
    found = [recorder.save(recorded, secrets) for recorder, recorded in of.items()]
    return tuple(written for written in found if written is not None)
