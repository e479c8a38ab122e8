"""A registry of a user's own, in OpenTelemetry's YAML: `groups` (version 1), or `file_format: definition/2`.

The attributes that its types of spans want are read as well, but what makes a span one of a type is prose in these
files: so spans are judged by the attributes' own rules, and not by those of a type. Metrics and events are recognised
by their names, and judged by all their rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from pytest_llmtrace._argtypes import finite
from pytest_llmtrace._stdlib import hashlib, re
from pytest_llmtrace.conventions._groups import Groups, name_of
from pytest_llmtrace.conventions._load import PROFILES, profile
from pytest_llmtrace.conventions._profile import Attribute, EventType, MetricType, Profile, Rename, SpanType
from pytest_llmtrace.errors import CassetteError, UsageError

__all__ = ["from_registry"]

LARGEST = 20_000_000
"""Bytes of all files together; OpenTelemetry's own registry has less than a tenth of that."""
LONGEST_REASON = 500

_TYPES = frozenset({"any", "boolean", "double", "int", "string"})
_INSTRUMENTS = frozenset({"counter", "gauge", "histogram", "updowncounter"})
_SUFFIXES = (".yaml", ".yml")
_V1_PARTS: tuple[str, ...] = ("groups",)
_V2 = "definition/2"
_V2_PARTS: tuple[str, ...] = ("attribute_groups", "spans", "span_refinements", "metrics", "events")
_NONE = "it has neither `groups` nor `file_format: definition/2`"
_REPLACED = re.compile(r"(?i:(?:replaced by|use)) `?([\w.]+\w)`?(?: instead)?\.?")


def from_registry(path: Path) -> Profile:
    """Read a registry: a YAML file, or a directory with such files, whatever else is in it.

    Returns:
        A convention with the name of the file; a hash of what was read takes the place of a commit.

    Raises:
        UsageError: If it cannot be read: it is missing, too large, not YAML, not a registry, or refers to itself.
    """
    digest, reading, room = hashlib.sha256(), _Reading(path), LARGEST
    for file in _files(path):
        content = _content(file, room)
        room -= len(content)
        digest.update(content)
        reading.add(_parsed(content, file), file)
    return reading.profile(digest.hexdigest()[:12])


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise _refused(path, f"{UsageError.no_path(path)}")
    if finite(path).is_file():
        return [path]
    found = sorted(file for file in path.rglob("*") if file.suffix in _SUFFIXES and file.is_file())
    if not found:
        raise _refused(path, "it holds no YAML file")
    return found


def _content(file: Path, room: int) -> bytes:
    try:
        if file.stat().st_size > room:
            raise _refused(file, f"together with the files before it, it is larger than {LARGEST // 1_000_000} MB")
        return file.read_bytes()
    except OSError as error:
        raise _refused(file, error.strerror or "it cannot be read") from None


def _parsed(content: bytes, file: Path) -> Any:
    from pytest_llmtrace.replay import yaml_safe  # Imported here: most users have no registry.

    try:
        return yaml_safe.parse_yaml(content.decode(), file, noun="registry")
    except UnicodeDecodeError:
        raise _refused(file, "it is not UTF-8") from None
    except CassetteError as error:
        raise _refused(file, error.in_file) from None


def _refused(path: Path, reason: str) -> UsageError:
    """Return the error, cut and printable: names in the file may have any length, and control characters."""
    shown = "".join(letter if letter.isprintable() else "?" for letter in reason[:LONGEST_REASON])
    return UsageError(
        f"{path} is not a registry of conventions: {shown}{'...' if len(reason) > LONGEST_REASON else ''}"
    )


class _Reading:
    """What was found in the files of a registry."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._attributes: dict[str, Attribute] = {}
        self._renames: dict[str, Rename] = {}
        self._groups = Groups(lambda reason: _refused(path, reason))
        self._spans: dict[str, tuple[str, ...]] = {}
        self._metrics: dict[str, Mapping[str, Any]] = {}
        self._events: dict[str, Mapping[str, Any]] = {}
        self._is_any = False

    def add(self, document: Any, file: Path) -> None:
        if isinstance(document, Mapping) and not document.keys().isdisjoint({"imports", "dependencies"}):
            self._groups.imports = True
        if isinstance(document, Mapping) and document.get("file_format") == _V2:
            parts = _V2_PARTS
            self._add_attributes(_list_of(document, "attributes", file), file)
        elif isinstance(document, Mapping) and "groups" in document:
            parts = _V1_PARTS
        elif self._path.is_dir():  # Other files, as a registry's manifest, are passed over.
            return
        else:
            raise _refused(file, _NONE)
        self._is_any = True
        for part in parts:
            for group in _list_of(document, part, file):
                self._add_group(group, file, is_event=part == "events" or group.get("type") == "event")

    def _add_group(self, group: Mapping[str, Any], file: Path, *, is_event: bool) -> None:
        is_span = group.get("type") == "span" or not group.keys().isdisjoint({"span_kind", "kind"})
        is_metric = not is_span and "instrument" in group
        name = group.get("id") or group.get("type" if "kind" in group else "name")
        if not isinstance(name, str):
            raise _refused(file, f"a group has no `id`: {_shown(group)}")
        if is_event and "id" not in group:
            name = f"event.{name}"  # In version 2, a span or a metric may have the same name.
        self._groups.add(name, group)
        if is_metric:
            if _text(group["instrument"]) not in _INSTRUMENTS:
                known = ", ".join(sorted(_INSTRUMENTS))
                raise _refused(file, f"{name} has the unknown instrument {_shown(group['instrument'])}; known: {known}")
            self._metrics[name] = group
        elif is_event:
            self._events[name] = group
        elif is_span or "ref" in group:
            kind = group.get("span_kind", group.get("kind"))
            self._spans[name] = (kind.upper(),) if isinstance(kind, str) else ()
            self._groups.add(f"span.{name}", group)  # What version 2 calls the attributes of a span in references.
        self._add_attributes(_list_of(group, "attributes", file), file, prefix=group.get("prefix"))

    def _add_attributes(self, stated: Iterable[Mapping[str, Any]], file: Path, *, prefix: Any = None) -> None:
        for one in stated:
            name = name_of(one, prefix)
            if name is not None:
                defined = _attribute(name, one, file)
                before = self._attributes.setdefault(name, defined)
                if before.types != defined.types:
                    types = " and as ".join("|".join(each.types) for each in (before, defined))
                    raise _refused(file, f"{name} is defined twice, as {types}")
                self._attributes[name] = defined
                if "deprecated" in one:
                    self._renames[name] = _rename(one["deprecated"])
            elif not isinstance(one.get("ref", one.get("ref_group")), str):
                raise _refused(file, f"an attribute has neither `id` nor `ref`: {_shown(one)}")

    def profile(self, digest: str) -> Profile:
        if not self._is_any:
            raise _refused(self._path, _NONE)
        names = self._attributes.keys() - self._renames.keys()
        wanted = {name: self._groups.wanted(name) for name in self._spans}
        metrics = [self._metric(name) for name in self._metrics]
        events = [self._event(name) for name in self._events]
        self._groups.refuse_circles()
        return Profile(
            name=self._path.stem,
            convention=f"registry {self._path.name}",
            source=f"{self._path.name}, sha256 {digest}",
            namespaces=_namespaces(self._attributes),
            attributes={name: self._attributes[name] for name in sorted(names)},
            span_types={
                name: SpanType(id=name, kinds=kinds, attributes=wanted[name]) for name, kinds in self._spans.items()
            },
            metrics={one.name: one for one in metrics if one.name not in self._old_metrics},
            events={one.name: one for one in events if one.name not in self._old_events},
            renames=self._renames,
            metric_renames=self._old_metrics,
            event_renames=self._old_events,
        )

    def _metric(self, group: str) -> MetricType:
        stated = self._metrics[group]
        return MetricType(
            name=_metric_name(group, stated),
            instrument=_text(stated.get("instrument")) or "",
            unit=_text(stated.get("unit")),
            attributes=self._groups.wanted(group),
        )

    def _event(self, group: str) -> EventType:
        return EventType(name=_event_name(group, self._events[group]), attributes=self._groups.wanted(group))

    @cached_property
    def _old_metrics(self) -> Mapping[str, Rename]:
        return {
            _metric_name(group, stated): _rename(stated["deprecated"])
            for group, stated in self._metrics.items()
            if "deprecated" in stated
        }

    @cached_property
    def _old_events(self) -> Mapping[str, Rename]:
        return {
            _event_name(group, stated): _rename(stated["deprecated"])
            for group, stated in self._events.items()
            if "deprecated" in stated
        }


def _event_name(group: str, stated: Mapping[str, Any]) -> str:
    """Return the name of an event; in version 1 it is not the id of its group, which usually begins with `event.`."""
    return _text(stated.get("name")) or group.removeprefix("event.")


def _metric_name(group: str, stated: Mapping[str, Any]) -> str:
    """Return the name of a metric: in version 1 its `metric_name`, in version 2 the name of its group."""
    return _text(stated.get("metric_name")) or group


def _text(stated: Any) -> str | None:
    return stated if isinstance(stated, str) else None


def _list_of(document: Mapping[str, Any], part: str, file: Path) -> list[Mapping[str, Any]]:
    found = document.get(part) or []
    if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
        raise _refused(file, f"`{part}` is not a list of mappings")
    return found


def _attribute(name: str, one: Mapping[str, Any], file: Path) -> Attribute:
    kind, values, is_open = one.get("type"), frozenset[str](), True
    if isinstance(kind, Mapping):
        members = _list_of(kind, "members", file)
        values = frozenset(str(member.get("value", member.get("id"))) for member in members)
        is_open = bool(kind.get("allow_custom_values", True))
        kind = "int" if members and all(type(member.get("value")) is int for member in members) else "string"
    is_family = isinstance(kind, str) and kind.startswith("template[")
    kind = str(kind).removeprefix("template[").removesuffix("]") if is_family else kind
    if not isinstance(kind, str) or kind.removesuffix("[]") not in _TYPES:
        raise _refused(
            file, f"{name} has the unknown type {_shown(one.get('type'))}; known: {', '.join(sorted(_TYPES))}"
        )
    return Attribute(
        name=name,
        types=(kind,),
        values=values,
        is_open=is_open,
        is_family=is_family,
    )


def _rename(stated: Any) -> Rename:
    """Read what `deprecated` says of a name, in each of its forms: a mapping with a reason, or a sentence."""
    if isinstance(stated, Mapping) and isinstance(stated.get("renamed_to"), str):
        return Rename(new=stated["renamed_to"])
    note = stated.get("note") if isinstance(stated, Mapping) else stated
    note = " ".join(note.split()) if isinstance(note, str) else ""
    replaced = _REPLACED.fullmatch(note)
    return Rename(new=replaced[1]) if replaced else Rename(new=None, hint=note)


def _namespaces(attributes: Iterable[str]) -> tuple[str, ...]:
    """Return the beginnings of names, up to the last dot, without those in a namespace of a shipped convention.

    Shorter beginnings may be others' too: `http.acme.tenant` does not make its registry the owner of `http.`.
    """
    shipped = tuple(namespace for name in PROFILES for namespace in profile(name).namespaces)
    own = {f"{name.rpartition('.')[0]}." for name in attributes if "." in name}
    return tuple(sorted(namespace for namespace in own if not namespace.startswith(shipped)))


def _shown(value: Any) -> str:
    return f"{value!r:.80}"
