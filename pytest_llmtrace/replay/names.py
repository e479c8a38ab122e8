"""Find the file of a cassette by its name, and the default name of a test's cassette."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from pytest_llmtrace._argtypes import is_finite
from pytest_llmtrace._stdlib import hashlib, is_file
from pytest_llmtrace.errors import CassetteError, UsageError

__all__ = [
    "below",
    "builtin_dirs",
    "default_name",
    "default_path",
    "find",
    "is_builtin",
    "new_path",
    "refuse_name",
    "resolve",
]

_SUFFIXES = (".yaml", ".yml", ".json", ".yaml.gz")
BUILTIN = "builtin:"
LONGEST_NAME = 255
SEARCHED = 5000
_FORBIDDEN = str.maketrans(dict.fromkeys("<>?%*:|\\\"'/", "-"))


def below(folder: Path) -> Iterator[Path]:
    """Yield the paths below a folder that may be cassettes by their suffixes, sorted."""
    return filter(is_finite, sorted(filter(_has_suffix, folder.rglob("*"))))


def _has_suffix(path: Path) -> bool:
    return path.name.lower().endswith(_SUFFIXES) and path.name.lower() not in _SUFFIXES


def resolve(name: str, *, dirs: Sequence[Path], builtin: Sequence[Path] | None = None, advice: str = "") -> Path:
    """Return the file of a cassette by its name.

    Args:
        name: A path below one of the directories or an absolute one, `.yaml` implied, or `builtin:gateway/name`.
        dirs: The directories to look in, in this order.
        builtin: The directories of the cassettes that ship with the package; default: `builtin_dirs()`.
        advice: For the error: what can be done about a missing cassette that is not a builtin one.

    Raises:
        CassetteError: If there is no such file; the message names files with similar names.
        UsageError: If the name is not a string, or is empty.
    """
    refuse_name(name)
    where = (builtin_dirs() if builtin is None else builtin) if name.startswith(BUILTIN) else dirs
    bare = name.removeprefix(BUILTIN)
    found = find(bare, dirs=where)
    if found is None:
        last = f"; {advice}" if advice and not name.startswith(BUILTIN) else ""
        raise CassetteError(name, _missing(name, bare, where) + last)
    return found


def refuse_name(name: object) -> None:
    """Refuse a value that cannot be the name of a cassette.

    Raises:
        UsageError: If the name is not a string, is empty, or has a character that no name of a file can have.
    """
    if not isinstance(name, str) or not name.strip() or "\0" in name:
        raise UsageError(f"the name of a cassette must be a string such as 'openrouter/chat', not {name!r}")


def find(name: str, *, dirs: Sequence[Path]) -> Path | None:
    """Return the file of a cassette by its name, None if there is no such file."""
    where = [Path()] if Path(name).is_absolute() else dirs
    candidates = (candidate for directory in where for candidate in _candidates(directory / name))
    return next((candidate for candidate in candidates if is_file(candidate)), None)


def is_builtin(name: str) -> bool:
    """Tell whether a name means a cassette that ships with the package.

    Raises:
        UsageError: If the name is not a string, or is empty.
    """
    refuse_name(name)
    return name.startswith(BUILTIN)


def new_path(name: str, *, dirs: Sequence[Path]) -> Path:
    """Return the file that a cassette of that name is recorded into: in the first directory, `.yaml` implied.

    Raises:
        CassetteError: If there is no directory to record into.
    """
    if not dirs and not Path(name).is_absolute():
        raise CassetteError(name, "there is no cassette directory to record it into")
    return next(iter(_candidates(Path(name) if Path(name).is_absolute() else dirs[0] / name)))


def _candidates(path: Path) -> Iterable[Path]:
    if not _has_suffix(path):
        yield from (path.with_name(path.name + suffix) for suffix in _SUFFIXES if path.name)
    yield path


def _missing(name: str, bare: str, where: Sequence[Path]) -> str:
    prefix = BUILTIN if name.startswith(BUILTIN) else ""
    places = ", ".join(dict.fromkeys(map(str, where))) or "nowhere"
    if Path(bare).is_absolute():
        where = [Path(bare).parent]
        places = str(where[0])
    if where and not any(directory.is_dir() for directory in where):
        return f"there is no such cassette in {places}; {_no_folder(where, prefix or Path(bare).is_absolute())}"
    known = sorted({known for directory in where for known in _names_below(directory)})
    near = _nearest(Path(bare).name if Path(bare).is_absolute() else bare, known)
    found = f"the nearest: {', '.join(prefix + name for name in near)}" if near else _others(len(known))
    return f"there is no such cassette in {places}; {found}"


def _nearest(wanted: str, known: Sequence[str]) -> Sequence[str]:
    """Return the names that may be meant: those at the end of a path from another folder, otherwise similar ones."""
    asked = _without_suffix(Path(wanted.replace("\\", "/")))
    ends = [name for name in known if asked.endswith(f"/{name}")]
    return ends or difflib.get_close_matches(asked, known, 3, 0.5)


def _others(number: int) -> str:
    if number > 1:
        return f"{number} others are there"
    return "one other is there" if number else "no cassette is there"


def _no_folder(where: Sequence[Path], is_fixed: object) -> str:
    """Say that no folder to look in exists, and name a similar one; unless the path is fixed, name the setting too."""
    first = where[0]
    near = difflib.get_close_matches(first.name, sorted(_folders_beside(first)), 1, 0.5)
    hint = f" (did you mean {near[0]}?)" if near else ""
    setting = "" if is_fixed else "; set llmtrace_cassette_dir (LLMTRACE_CASSETTE_DIR) to the folder that has them"
    return f"{'this is not a folder' if len(where) == 1 else 'none of these is a folder'}{hint}{setting}"


def _folders_beside(path: Path) -> Iterable[str]:
    try:
        return [entry.name for entry in islice(path.parent.iterdir(), SEARCHED) if entry.is_dir()]
    except OSError:
        return []


def _names_below(directory: Path) -> Iterable[str]:
    try:
        files = [path for path in islice(directory.rglob("*"), SEARCHED) if _has_suffix(path)]
    except OSError:
        return
    for path in files:
        yield _without_suffix(path.relative_to(directory))


def _without_suffix(path: Path) -> str:
    if path.name.lower().endswith(".yaml.gz"):
        path = path.with_suffix("")
    return path.with_suffix("").as_posix() if path.name else ""  # "." has no name, and so no suffix to take away.


def builtin_dirs() -> tuple[Path, ...]:
    """Return the directories of the cassettes that ship with the package: in the package, and in its source checkout.

    An editable install has them at the top level of the checkout only, since only the build of a wheel puts them into
    the package.
    """
    package = Path(__file__).parents[1]
    checkout = package.parent
    places = [package / "cassettes"]
    if (checkout / "pyproject.toml").is_file():
        places.append(checkout / "cassettes")
    return tuple(place for place in places if place.is_dir())


def default_name(name: str, *, cls: str | None = None) -> str:
    """Return the name that pytest-recording gives a test's cassette, without suffix.

    Args:
        name: The test's name with its parameters.
        cls: The name of its class.
    """
    return (f"{cls}.{name}" if cls else name).translate(_FORBIDDEN)


def default_path(folder: Path, name: str, *, serializer: str | None = None) -> Path:
    """Return the file that pytest-recording keeps a test's cassette in.

    Args:
        folder: The folder for the test's module: `cassettes/test_module` beside it, or the value of `vcr_cassette_dir`.
        name: The name from `default_name`, or from the `default_cassette` marker.
        serializer: vcrpy's name of the file format, `yaml` or `json`.
    """
    suffix = f".{serializer or 'yaml'}"
    # A name that is too long is cut, and its hash appended; pytest-recording counts the bare format name as the suffix.
    counted = len(serializer or ".yaml")
    if len(name) + counted > LONGEST_NAME:
        hashed = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
        name = f"{name[: LONGEST_NAME - counted - len(hashed) - 3]}...{hashed}"
    return folder / (name if name.endswith(suffix) else name + suffix)
