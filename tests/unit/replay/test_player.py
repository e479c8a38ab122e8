"""Recordings are served in order, each once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pytest_llmtrace.model import Answer, Cassette, Failure, Recording, Request, Response
from pytest_llmtrace.replay import Player, Silence, read_config
from pytest_llmtrace.replay.recorded_by import is_gone


def bodies(player: Player, *requests: Request) -> list[bytes | None]:
    answers = [player.answer(request) for request in requests]
    return [None if answer is None else answer.response.body for answer in answers]


def served(player: Player, request: Request) -> Answer:
    answer = player.answer(request)
    assert answer is not None
    return answer


def test_identical_requests_are_served_in_recorded_order(
    tape: Callable[..., Cassette], post: Callable[..., Request]
) -> None:
    """The same request gets its recordings one after the other, then none."""
    a, b = post({"q": "a"}), post({"q": "b"})
    player = Player(tape(a, b, a))
    assert player.total == 3
    assert bodies(player, a, a, b, a) == [b"reply 0", b"reply 2", b"reply 1", None]
    assert player.unplayed() == ()


def test_answer(tape: Callable[..., Cassette], post: Callable[..., Request]) -> None:
    """An answer says where it comes from."""
    reply = Response(status=200, chunks=(b"reply 0",))
    assert Player(tape(post())).answer(post()) == Answer(response=reply, origin="tape.yaml, interaction 0")


@pytest.mark.parametrize("match_on", [None, ["method", lambda sent, recorded: True]])
def test_repeats(tape: Callable[..., Cassette], post: Callable[..., Request], match_on: Any) -> None:
    """With repeats the last recording of a request is served again when all were played."""
    player = Player(tape(post(), post()), config=read_config({"match_on": match_on, "allow_playback_repeats": True}))
    assert bodies(player, post(), post(), post(), post()) == [b"reply 0", b"reply 1", b"reply 1", b"reply 1"]


def test_own_matchers_play_in_order_too(tape: Callable[..., Cassette], post: Callable[..., Request]) -> None:
    """A matcher function picks among the recordings; those that it accepts are served in order."""
    cassette = tape(post(b"x1"), post(b"y1"), post(b"x2"))
    config = read_config({"match_on": ["method", lambda sent, recorded: sent.body[:1] == recorded.body[:1]]})
    player = Player(cassette, config=config)
    assert bodies(player, post(b"x"), post(b"x"), post(b"x"), post(b"y")) == [b"reply 0", b"reply 2", None, b"reply 1"]


def test_unplayed_in_recorded_order(tape: Callable[..., Cassette], post: Callable[..., Request]) -> None:
    """Recordings that were not asked for are listed in recorded order."""
    player = Player(tape(post(b"1"), post(b"2"), post(b"3")))
    player.answer(post(b"2"))
    assert [recording.index for recording in player.unplayed()] == [0, 2]


NAMES = {number: f"test_it.py::test_{number}" for number in "0123"}


@pytest.mark.parametrize(
    ("recorded_by", "player", "asked", "due", "missed"),
    [
        pytest.param("", "", "", "abc", "abc", id="a file that names nobody, outside pytest"),
        pytest.param("", "1", "a", "abc", "bc", id="a file that names nobody"),
        pytest.param("112", "1", "a", "ab", "b", id="its own"),
        pytest.param("112", "2", "a", "c", "c", id="its own, whatever it plays of others"),
        pytest.param("112", "3", "a", "", "", id="what another has recorded"),
        pytest.param("112", "3", "", "", "", id="nothing at all"),
        pytest.param("111", "3", "", "", "", id="nothing of another's file"),
        pytest.param("111", "3", "a", "", "", id="what another has recorded alone"),
        pytest.param("000", "3", "a", "abc", "bc", id="renamed"),
        pytest.param("000", "3", "", "", "", id="nothing of a file of one that is no more"),
        pytest.param("002", "3", "a", "", "", id="renamed, among others"),
        pytest.param("1 2", "3", "b", "b", "", id="what nobody has named"),
        pytest.param("1 1", "1", "a", "ac", "c", id="its own, beside what nobody has named"),
        pytest.param("112", "", "a", "", "", id="outside pytest"),
    ],
)
def test_what_a_test_is_to_play(
    tmp_path: Path,
    tape: Callable[..., Cassette],
    post: Callable[..., Request],
    recorded_by: str,
    player: str,
    asked: str,
    due: str,
    missed: str,
) -> None:
    """A test has to play its own recordings, or the whole file if that names no test or only one that is gone."""
    cassette = tape(*(post(name) for name in (b"a", b"b", b"c")))
    (tmp_path / "test_it.py").write_text("def test_1(): ...\ndef test_2(): ...\n", encoding="utf-8")
    named = zip(cassette.recordings, recorded_by.ljust(3), strict=True)
    recordings = tuple(replace(recording, test=NAMES.get(test, "")) for recording, test in named)
    plays = Player(
        replace(cassette, recordings=recordings), test=NAMES.get(player, ""), is_gone=partial(is_gone, root=tmp_path)
    )
    assert bodies(plays, *(post(name.encode()) for name in asked)) == [
        f"reply {'abc'.index(n)}".encode() for n in asked
    ]
    assert (plays.total, [recording.request.body.decode() for recording in plays.unplayed()]) == (len(due), [*missed])


def test_players_of_one_cassette_are_independent(tape: Callable[..., Cassette], post: Callable[..., Request]) -> None:
    """Each test plays the cassette from its start."""
    cassette = tape(post())
    assert bodies(Player(cassette), post()) == bodies(Player(cassette), post()) == [b"reply 0"]


def test_recorded_without_a_reply(tape: Callable[..., Cassette], post: Callable[..., Request]) -> None:
    """A recording without a reply never answers and does not count as unplayed."""
    player = Player(tape(post(), response=None))
    assert player.answer(post()) is None
    assert (player.unplayed(), player.total) == ((), 0)


@pytest.mark.parametrize("response", [None, Response(status=200, chunks=(b"half",))])
def test_recorded_failures(tape: Callable[..., Cassette], post: Callable[..., Request], response: Any) -> None:
    """A recorded failure is replayed, after the part of the response that had arrived by then."""
    answer = served(Player(tape(post(), response=response, failure=Failure.DISCONNECT)), post())
    assert answer.failure is Failure.DISCONNECT
    assert answer.response.body == (b"half" if response else b"")


def test_threads_get_each_recording_once(tape: Callable[..., Cassette], post: Callable[..., Request]) -> None:
    """No recording is served twice, whichever threads ask."""
    player = Player(tape(*[post()] * 400))
    with ThreadPoolExecutor(8) as pool:
        origins = list(pool.map(lambda _: served(player, post()).origin, range(400)))
    assert len(set(origins)) == 400
    assert player.unplayed() == ()


def test_ten_thousand_recordings_are_as_quick_as_ten(post: Callable[..., Request]) -> None:
    """A request finds its recording without looking at the others: none of them is compared again."""
    requests = [post({"q": number}) for number in range(2000)]
    recordings = tuple(
        Recording(index=index, request=request, response=Response(status=200)) for index, request in enumerate(requests)
    )
    cassette = Cassette(label="big", recordings=recordings)
    compared = []

    def seen(sent: Any, recorded: Any) -> Any:
        compared.append(recorded.body)
        return True

    player = Player(cassette, config=read_config({"match_on": ["method", "body", seen]}))
    assert all(served(player, request).origin == f"big, interaction {at}" for at, request in enumerate(requests))
    assert len(compared) == 2000


def test_silence(post: Callable[..., Request], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`Silence` answers nothing; its explanation says so, and names the default cassette that was looked for."""
    monkeypatch.chdir(tmp_path)
    nothing = "nothing   no cassette, gateway or router is active here"
    looked_for = Silence(default=tmp_path / "cassettes" / "test_b.yaml")
    assert looked_for.answer(post()) is None
    assert (
        looked_for.explain(post())
        == f"{nothing}\ndefault   there is no cassettes/test_b.yaml; --llmtrace-record=once records it"
    )
    assert Silence().explain(post()) == nothing
    dropping = Silence(
        default=tmp_path / "test_b.yaml", settings=read_config({"before_record_request": lambda _: None})
    )
    assert dropping.explain(post()) == (
        f"{nothing}\nhook      the configuration (before_record_request, ignore_hosts) drops this request"
    )
