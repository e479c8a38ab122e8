"""Cells, which are things to measure: in processes of their own, measured in turn, with results as rows of a table."""

from __future__ import annotations

import math
import multiprocessing
import os
import random
import statistics
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

__all__ = [
    "Cell",
    "Plan",
    "Result",
    "Row",
    "compared",
    "environment",
    "interleaved",
    "multiples",
    "one_processor",
    "remote",
]

Cell = Callable[..., Any]
_Name = TypeVar("_Name", bound=Hashable)
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Plan:
    """How much to measure.

    Attributes:
        rounds: How often each cell is measured.
        sizes: Interactions in one cassette, for replay.
        bouts: How often each cell of the replay is measured; short and many, since the machine does other things too.
        calls: Calls in one bout.
        load_sizes: Interactions in one cassette, for loading.
        starts: How often pytest is started.
        tests: Tests of the suite.
        memory_size: Interactions of the cassette whose memory is measured.
        items: The largest number of chunks, calls, spans or attributes that are verified at once.
    """

    rounds: int = 5
    sizes: tuple[int, ...] = (1, 10, 100, 1_000, 10_000)
    bouts: int = 41
    calls: int = 10
    load_sizes: tuple[int, ...] = (1, 10, 100, 1_000)
    starts: int = 31
    tests: int = 1_000
    memory_size: int = 10_000
    items: int = 50_000

    @classmethod
    def quick(cls) -> Plan:
        """Return a plan that takes seconds: it shows that everything runs, but its figures mean nothing."""
        return cls(
            rounds=2, sizes=(1, 10), bouts=2, calls=2, load_sizes=(10,), starts=2, tests=10, memory_size=50, items=1_000
        )


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of a table.

    Attributes:
        case: What was measured.
        subject: What did it: a tool, or one way to use it.
        value: The median, as text with its unit.
        ratio: The median of the ratios to the cell that it is compared with in the same round; None for that cell.
        spread: The quartiles of these ratios.
        target: The largest ratio that is wanted; None if there is no target.
        below: Whether the ratio must be below the target, not only at most that.
    """

    case: str
    subject: str
    value: str = ""
    ratio: float | None = None
    spread: tuple[float, float] | None = None
    target: float | None = None
    below: bool = False

    @property
    def verdict(self) -> str:
        """`met` or `missed`; empty without a target."""
        if self.target is None or self.ratio is None:
            return ""
        return "met" if self.ratio < self.target or (self.ratio == self.target and not self.below) else "missed"


@dataclass(frozen=True, kw_only=True)
class Result:
    """A table, with the words around it.

    Attributes:
        name: The name in its markers on the page.
        title: Its heading.
        what: What was compared, and what was left out.
        rows: Its lines.
        why: Where the time goes; shown if a target is missed.
    """

    name: str
    title: str
    what: str
    rows: tuple[Row, ...]
    why: str

    @property
    def missed(self) -> tuple[Row, ...]:
        """The lines whose target is missed."""
        return tuple(row for row in self.rows if row.verdict == "missed")


ENOUGH = 5


def interleaved(
    cells: Mapping[_Name, Callable[[], _Value]], rounds: int, *, patience: float = math.inf, mixed: bool = False
) -> dict[_Name, list[_Value]]:
    """Measure each cell once a round, in turn, so that other work of the machine affects all of them alike.

    A cell that takes longer than the patience in seconds is measured five times only. If cells are mixed, each round
    has another order: a cell that always comes after one that does something else finds the processor's caches cold.
    """
    measured: dict[_Name, list[_Value]] = {name: [] for name in cells}
    slow: set[_Name] = set()
    chance = random.Random(0)
    for number in range(rounds):
        for name, cell in chance.sample(list(cells.items()), len(cells)) if mixed else cells.items():
            if name in slow and number >= ENOUGH:
                continue
            start = time.perf_counter()
            measured[name].append(cell())
            if time.perf_counter() - start > patience:
                slow.add(name)
    return measured


def compared(
    case: str,
    measured: Mapping[str, list[float]],
    floor: str,
    targets: Mapping[str, float],
    show: Callable[[float], str],
    *,
    below: Iterable[str] = (),
) -> list[Row]:
    """Return rows that compare the cells of some rounds with one of them, round by round.

    Args:
        case: What the rows are about.
        measured: The result of `interleaved`.
        floor: The cell that the others are compared with.
        targets: The largest ratios that are wanted, by cell.
        show: Writes a value with its unit.
        below: Cells whose ratio must be below the target.
    """
    rows = []
    for name, values in measured.items():
        value = show(statistics.median(values))
        if name == floor:
            rows.append(Row(case=case, subject=name, value=value))
            continue
        ratios = [own / base for own, base in zip(values, measured[floor], strict=False)]
        quartiles = statistics.quantiles(ratios, n=4, method="inclusive")
        rows.append(
            Row(
                case=case, subject=name, value=value,
                ratio=statistics.median(ratios), spread=(quartiles[0], quartiles[-1]),
                target=targets.get(name), below=name in below,
            )
        )  # fmt: skip
    return rows


def multiples(case: str, measured: Mapping[str, list[float]], targets: Mapping[str, float]) -> list[Row]:
    """Return rows for measurements that are ratios already."""
    rows = []
    for name, ratios in measured.items():
        quartiles = statistics.quantiles(ratios, n=4, method="inclusive")
        spread = (quartiles[0], quartiles[-1])
        rows.append(
            Row(case=case, subject=name, ratio=statistics.median(ratios), spread=spread, target=targets.get(name))
        )
    return rows


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Return the environment of a pytest run in a folder, whose modules it finds, and the packages that we find.

    It keeps bytecode as an installation does, even if ours does not.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    paths = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
    return {**kept, "PYTHONPATH": paths, "PYTHONPYCACHEPREFIX": str(folder / "bytecode"), **more}


# --- processes -------------------------------------------------------------------------------------------------------


@contextmanager
def one_processor() -> Iterator[None]:
    """Keep this process, and those that it starts meanwhile, to one processor, where the system can.

    One of two processors of a virtual machine may be half as fast as the other for seconds, depending on the host. A
    process that stayed on the slower one for a whole table would be compared with one on the faster.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    all_of_them = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(all_of_them)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, all_of_them)


class _Closing(Protocol):
    def close(self) -> None: ...


@contextmanager
def remote(made_by: Callable[..., _Closing], *arguments: Any) -> Iterator[Cell]:
    """Make an object in a new interpreter; yield a function that calls its methods: `ask("method", ...)`.

    The object stays for all rounds of a table, and waits while others are measured.
    """
    context = multiprocessing.get_context("spawn")
    with ExitStack() as stack:
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, made_by, arguments))
        process.start()
        theirs.close()  # Otherwise a child that dies causes no end of file here, and we wait for ever.
        stack.callback(process.join)
        stack.callback(ours.close)

        def ask(method: str, *given: Any) -> Any:
            ours.send((method, given))
            return ours.recv()

        yield ask
        ask("close")


def _serve(pipe: Any, made_by: Callable[..., _Closing], arguments: tuple[Any, ...]) -> None:
    made = made_by(*arguments)
    while True:
        try:
            method, given = pipe.recv()
        except EOFError:
            return
        pipe.send(getattr(made, method)(*given))
