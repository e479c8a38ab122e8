"""A user's own registry: what is read from it, and what is refused, in one sentence."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest

from pytest_llmtrace.conventions import Attribute, EventType, Level, MetricType, Rename, Wanted, from_registry
from pytest_llmtrace.errors import UsageError

V1 = """
groups:
  - id: registry.acme
    type: attribute_group
    brief: House attributes
    attributes:
      - {id: acme.tenant, type: string, stability: development, brief: whose, examples: [a]}
      - {id: acme.retries, type: int, brief: how often}
      - {id: acme.label, type: "template[string]", brief: labels}
      - id: acme.tier
        type: {allow_custom_values: false, members: [{id: free, value: free}, {id: paid, value: paid}]}
      - {id: acme.customer, type: string, deprecated: {reason: renamed, renamed_to: acme.tenant}}
      - {id: acme.gone, type: string, deprecated: "Obsoleted."}
  - id: acme.base
    type: attribute_group
    attributes: [{ref: acme.tenant, requirement_level: required}]
  - id: metric.acme.orders
    type: metric
    metric_name: acme.orders
    instrument: counter
    unit: "{order}"
    extends: acme.base
  - {id: metric.acme.sales, type: metric, metric_name: acme.sales, instrument: counter, unit: "1",
     deprecated: {reason: renamed, renamed_to: acme.orders}}
  - id: span.acme.chat
    type: span
    span_kind: client
    extends: acme.base
    attributes:
      - {ref: acme.tier, requirement_level: {conditionally_required: it is known}}
      - {ref: acme.retries, requirement_level: opt_in}
      - {ref: acme.label}
"""

V2 = """
file_format: definition/2
attributes:
  - {key: acme.tenant, type: string, brief: whose}
  - {key: acme.retries, type: int, brief: how often}
attribute_groups:
  - {id: acme.base, visibility: internal, attributes: [{ref: acme.tenant, requirement_level: required}]}
spans:
  - type: acme.chat
    kind: client
    name: {note: "chat"}
    attributes: [{ref_group: acme.base}, {ref: acme.retries, requirement_level: {recommended: there were any}}]
span_refinements:
  - {id: paid.acme.chat, ref: acme.chat, attributes: [{ref: acme.retries, requirement_level: required}]}
metrics:
  - {name: acme.orders, instrument: counter, unit: "{order}", attributes: [{ref_group: acme.base}]}
"""

ORDERS = MetricType(
    name="acme.orders", instrument="counter", unit="{order}", attributes={"acme.tenant": Wanted(level=Level.REQUIRED)}
)


LAUGHS = "a: &a [x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in itertools.pairwise("abcdefghi")
)
"""A file that expands to a billion values if its aliases are followed without a limit."""

CHAIN = "groups:\n" + "".join(f"- {{id: g{each}, type: span, extends: g{each + 1}}}\n" for each in range(5_000))
BUSHES = "groups:\n" + "".join(
    ["- {id: base, attributes: [", *(f"{{id: a.b{each}, type: int}}," for each in range(2_000)), "]}\n"]
    + [f"- {{id: g{each}, type: span, extends: base}}\n" for each in range(2_000)]
)
DOUBLING = (
    "file_format: definition/2\nattribute_groups:\n- {id: g0, attributes: [{ref: a.b}]}\n"
    + "".join(
        f"- {{id: g{each + 1}, attributes: [{{ref_group: g{each}}}, {{ref_group: g{each}}}]}}\n" for each in range(40)
    )
    + "spans: [{type: s, kind: client, attributes: [{ref_group: g40}]}]\n"
)
"""Groups that refer to one another: one long chain, many based on a large one, and 2**40 paths to a single one."""


def written(folder: Path, text: str) -> Path:
    path = folder / "acme.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_groups(tmp_path: Path) -> None:
    """Attributes are read with types, values and old names; spans with the levels of their own and extended groups."""
    kept = from_registry(written(tmp_path, V1))
    assert (kept.name, kept.namespaces) == ("acme", ("acme.",))
    assert kept.attributes["acme.tenant"] == Attribute(name="acme.tenant", types=("string",))
    assert kept.attributes["acme.tier"].values == {"free", "paid"}
    assert not kept.attributes["acme.tier"].is_open
    assert kept.attributes["acme.label"].is_family
    assert kept.renames == {
        "acme.customer": Rename(new="acme.tenant"),
        "acme.gone": Rename(new=None, hint="Obsoleted."),
    }
    [span] = kept.span_types.values()
    assert (span.id, span.kinds) == ("span.acme.chat", ("CLIENT",))
    assert span.attributes == {
        "acme.tenant": Wanted(level=Level.REQUIRED),
        "acme.tier": Wanted(level=Level.CONDITIONALLY_REQUIRED, condition="it is known"),
        "acme.retries": Wanted(level=Level.OPT_IN),
        "acme.label": Wanted(level=Level.RECOMMENDED),
    }


@pytest.mark.parametrize("text", [V1, V2])
def test_metrics(tmp_path: Path, text: str) -> None:
    """Instrument, unit and levels of each metric are read, in both forms."""
    assert from_registry(written(tmp_path, text)).metrics == {"acme.orders": ORDERS}


def test_old_metrics(tmp_path: Path) -> None:
    """A deprecated metric is left out, and its new name is known."""
    assert from_registry(written(tmp_path, V1)).metric_renames == {"acme.sales": Rename(new="acme.orders")}


EVENTS_V1 = """
groups:
  - {id: registry.acme, type: attribute_group, attributes: [{id: acme.tenant, type: string}]}
  - {id: event.acme.paid, type: event, attributes: [{ref: acme.tenant, requirement_level: required}]}
  - {id: event.acme.billed, name: acme.bill, type: event, deprecated: {reason: renamed, renamed_to: acme.paid}}
"""
EVENTS_V2 = """
file_format: definition/2
attributes: [{key: acme.tenant, type: string}]
spans: [{type: acme.paid, kind: client, attributes: [{ref: acme.tenant, requirement_level: required}]}]
events:
  - {name: acme.paid, attributes: [{ref_group: span.acme.paid}]}
  - {name: acme.bill, deprecated: {reason: renamed, renamed_to: acme.paid}}
"""


@pytest.mark.parametrize("text", [EVENTS_V1, EVENTS_V2], ids=["v1", "v2"])
def test_events(tmp_path: Path, text: str) -> None:
    """An event has the name that the registry gives it, and the attributes that it repeats of a span."""
    kept = from_registry(written(tmp_path, text))
    wanted = {"acme.tenant": Wanted(level=Level.REQUIRED)}
    assert kept.events == {"acme.paid": EventType(name="acme.paid", attributes=wanted)}
    assert kept.event_renames == {"acme.bill": Rename(new="acme.paid")}


def test_a_prefix(tmp_path: Path) -> None:
    """Older registries state a prefix for all names of a group."""
    text = "groups: [{id: g, type: span, prefix: acme, attributes: [{id: tenant, type: string}, {ref: acme.tier}]}]"
    kept = from_registry(written(tmp_path, text))
    assert list(kept.attributes) == ["acme.tenant"]
    assert list(kept.span_types["g"].attributes) == ["acme.tenant", "acme.tier"]


def test_definitions(tmp_path: Path) -> None:
    """The second form of registries is read to the same result."""
    kept = from_registry(written(tmp_path, V2))
    span, refined = kept.span_types.values()
    assert (span.id, span.kinds) == ("acme.chat", ("CLIENT",))
    assert span.attributes == {
        "acme.tenant": Wanted(level=Level.REQUIRED),
        "acme.retries": Wanted(level=Level.RECOMMENDED, condition="there were any"),
    }
    assert refined.attributes == {name: Wanted(level=Level.REQUIRED) for name in ("acme.tenant", "acme.retries")}


def test_a_directory(tmp_path: Path) -> None:
    """All files of a directory are one registry, with the directory's name."""
    folder = tmp_path / "house"
    folder.mkdir()
    head, _, spans = V1.partition("  - id: acme.base")
    (folder / "a.yaml").write_text(head, encoding="utf-8")
    (folder / "b.yml").write_text(f"groups:\n  - id: acme.base{spans}", encoding="utf-8")
    kept = from_registry(folder)
    assert (kept.name, len(kept.attributes), len(kept.span_types)) == ("house", 4, 1)


def test_what_is_beside_a_registry(tmp_path: Path) -> None:
    """A directory may also hold a manifest, and may refer to groups of the registry that it imports."""
    folder = tmp_path / "house"
    folder.mkdir()
    (folder / "manifest.yaml").write_text("{name: acme, dependencies: [{name: otel}]}", encoding="utf-8")
    (folder / "spans.yaml").write_text("groups: [{id: s, type: span, extends: otel.common}]", encoding="utf-8")
    assert from_registry(folder).span_types["s"].attributes == {}
    (folder / "spans.yaml").unlink()
    with pytest.raises(UsageError, match="house is not a registry of conventions: it has neither `groups` nor"):
        from_registry(folder)


def test_levels_are_inherited(tmp_path: Path) -> None:
    """A group that repeats an attribute for a note or examples keeps the level of the group that it extends."""
    text = f"{V1}      - {{ref: acme.tenant, note: ours}}\n"
    [span] = from_registry(written(tmp_path, text)).span_types.values()
    assert span.attributes["acme.tenant"] == Wanted(level=Level.REQUIRED)


@pytest.mark.parametrize(
    ("stated", "rename"),
    [
        ("{reason: renamed, renamed_to: a.new}", Rename(new="a.new")),
        ("{reason: obsoleted}", Rename(new=None)),
        ("{reason: obsoleted, note: 'It is  told elsewhere.'}", Rename(new=None, hint="It is told elsewhere.")),
        ("{reason: uncategorized, note: 'Replaced by `a.new`.'}", Rename(new="a.new")),
        ("'Replaced by `a.new`.'", Rename(new="a.new")),
        ("'Replaced by `a.new` and `b.new`.'", Rename(new=None, hint="Replaced by `a.new` and `b.new`.")),
        ("true", Rename(new=None)),
    ],
)
def test_what_is_deprecated(tmp_path: Path, stated: str, rename: Rename) -> None:
    """A deprecated attribute's new name is taken from any statement that has exactly one."""
    text = f"groups: [{{id: g, attributes: [{{id: a.old, type: string, deprecated: {stated}}}]}}]"
    kept = from_registry(written(tmp_path, text))
    assert (kept.attributes, kept.renames) == ({}, {"a.old": rename})


@pytest.mark.parametrize(
    ("names", "namespaces"),
    [
        (("acme.tenant", "acme.db.name"), ("acme.", "acme.db.")),
        (("http.acme.tenant",), ("http.acme.",)),
        (("gen_ai.acme.tenant", "llm.acme"), ()),
        (("tenant",), ()),
    ],
)
def test_namespaces(tmp_path: Path, names: tuple[str, ...], namespaces: tuple[str, ...]) -> None:
    """A registry owns the namespaces of its attributes, but neither those above nor those of a shipped convention."""
    stated = ", ".join(f"{{id: {name}, type: string}}" for name in names)
    assert from_registry(written(tmp_path, f"groups: [{{id: g, attributes: [{stated}]}}]")).namespaces == namespaces


def test_the_hash_tells_its_version(tmp_path: Path) -> None:
    """A report can name the exact file that it was checked against."""
    first = from_registry(written(tmp_path, V1)).source
    assert first.startswith("acme.yaml, sha256 ")
    assert from_registry(written(tmp_path, V1 + "\n")).source != first


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it has neither `groups` nor"),
        ("[1, 2]", "it has neither `groups` nor"),
        ("other: 1", "it has neither `groups` nor `file_format: definition/2`"),
        ("groups: 3", "`groups` is not a list of mappings"),
        ("groups: [1]", "`groups` is not a list of mappings"),
        ("groups: [{brief: x}]", "a group has no `id`: {'brief': 'x'}"),
        ("groups: [{id: g, attributes: [{brief: x}]}]", "an attribute has neither `id` nor `ref`: {'brief': 'x'}"),
        (
            "groups: [{id: g, attributes: [{id: a.b, type: text}]}]",
            "a.b has the unknown type 'text'; known: any, boolean, double, int, string",
        ),
        ("groups: [{id: g, type: span, extends: h}]", "g refers to 'h', which is not defined"),
        ("groups: [{id: g, type: span, extends: h}, {id: h, extends: g}]", "g -> h -> g is circular"),
        ("groups: [{id: g, extends: h}, {id: i}, {id: h, extends: g}]", "is circular"),
        ("groups: [{id: g, extends: g}]", "g -> g is circular"),
        (
            "{file_format: definition/2, attribute_groups: [{id: g, attributes: [{ref_group: g}]}]}",
            "g -> g is circular",
        ),
        (
            "groups: [{id: g, type: span, attributes: [{id: a.b, type: int, requirement_level: must}]}]",
            (
                "a.b has the unknown requirement level 'must'; known: required, conditionally_required, recommended, "
                "opt_in"
            ),
        ),
        (
            "groups: [{id: g, attributes: [{id: a.b, type: int}]}, {id: h, attributes: [{id: a.b, type: string}]}]",
            "a.b is defined twice, as int and as string",
        ),
        (
            "groups: [{id: metric.g, type: metric, metric_name: g, instrument: [dial]}]",
            "metric.g has the unknown instrument ['dial']; known: counter, gauge, histogram, updowncounter",
        ),
        (CHAIN, "g0 extends a chain of more than 50 groups"),
        (BUSHES, "its references expand to more than 1,000,000 attributes"),
        ("groups: [", "line 2: this is not valid YAML"),
        (
            "groups: !!python/object/apply:os.system [x]",
            "a registry may hold plain values only; nothing was built. Replace the tagged value with plain text",
        ),
        ("groups: []\n---\ngroups: []", "line 2: a second YAML document starts here; a registry is one document"),
        ("groups: [{id: g, attributes: [{id: a.b, type: {members: 3}}]}]", "`members` is not a list of mappings"),
        ("groups: " + "[" * 500 + "]" * 500, "it is nested more than 200 levels deep"),
        (LAUGHS, "its anchors and aliases expand to far more than the file itself; refused"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    """One sentence names the file and what is wrong with it."""
    path = written(tmp_path, text)
    with pytest.raises(UsageError) as refused:
        from_registry(path)
    assert str(refused.value).startswith(f"{path} is not a registry of conventions: ")
    assert reason in str(refused.value)


def test_many_ways_to_one_group(tmp_path: Path) -> None:
    """The attributes of a group are computed once, however many groups refer to it."""
    kept = from_registry(written(tmp_path, DOUBLING))
    assert kept.span_types["s"].attributes == {"a.b": Wanted(level=Level.RECOMMENDED)}


def test_what_is_not_there(tmp_path: Path) -> None:
    """A folder without a file to read has an error of the same form; a path that is wrong names the nearest one."""
    with pytest.raises(UsageError, match="is not a registry of conventions: it holds no YAML file"):
        from_registry(tmp_path)
    written(tmp_path, DOUBLING)
    [there] = tmp_path.iterdir()
    missing = there.with_name(f"x{there.name}")
    with pytest.raises(UsageError) as refused:
        from_registry(missing)
    near = f"unknown file or folder 'x{there.name}': did you mean '{there.name}'? known: {there.name}"
    assert str(refused.value) == f"{missing} is not a registry of conventions: {near}"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """What may never end is refused, since a run would hang."""
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(UsageError, match="is a pipe, which may never end; name a file"):
        from_registry(tmp_path / "pipe.yaml")


def test_what_is_too_large(tmp_path: Path) -> None:
    """A file that is too large is refused before it is read."""
    path = tmp_path / "acme.yaml"
    with path.open("wb") as file:
        file.truncate(20_000_001)
    with pytest.raises(UsageError, match="together with the files before it, it is larger than 20 MB"):
        from_registry(path)
