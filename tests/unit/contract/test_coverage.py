"""The attributes of a convention that a run has shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pytest_llmtrace.checks import Claim, MetricClaim
from pytest_llmtrace.contract import Names, add_all, coverages, seen_of, to_json, to_markdown
from pytest_llmtrace.conventions import Attribute, Level, MetricType, Profile, Rename, SpanType, Wanted
from pytest_llmtrace.model import MetricPoint

CHAT = SpanType(
    id="chat.client",
    attributes={
        "ai.model": Wanted(level=Level.REQUIRED),
        "ai.error": Wanted(level=Level.CONDITIONALLY_REQUIRED, condition="If it failed | timed out."),
        "ai.messages": Wanted(level=Level.OPT_IN),
        "ai.label": Wanted(level=Level.OPT_IN),
    },
)
PROFILE = Profile(
    name="small-1",
    convention="small",
    source="example/small at 1234567",
    namespaces=("ai.",),
    attributes={
        **{name: Attribute(name=name, types=("string",)) for name in ("ai.model", "ai.error", "ai.tool")},
        "ai.label": Attribute(name="ai.label", types=("string",), is_family=True),
    },
    span_types={"chat.client": CHAT},
    metrics={
        "ai.calls": MetricType(
            name="ai.calls",
            attributes={"ai.model": Wanted(level=Level.REQUIRED), "ai.error": Wanted(level=Level.RECOMMENDED)},
        )
    },
    renames={"ai.vendor": Rename(new="ai.model")},
    patterns=(r"ai\.messages\.\d+\.role",),
)

PAGE = """\
# small-1 (example/small at 1234567)

| scope   | span type                 | spans | required | conditionally required | recommended | opt in | others |
| ------- | ------------------------- | ----- | -------- | ---------------------- | ----------- | ------ | ------ |
| `app`   | `chat.client`             | 2     | 1 of 1   | 0 of 1                 |             | 2 of 2 | 4      |
| `tools` | no type of the convention | 1     |          |                        |             |        | 1      |

| scope | metric     | series | required | conditionally required | recommended | opt in | others |
| ----- | ---------- | ------ | -------- | ---------------------- | ----------- | ------ | ------ |
| `app` | `ai.calls` | 3      | 1 of 1   |                        | 0 of 1      |        | 1      |

## `chat.client` of `app`, 2 spans

| attribute     | level                                           | seen on | condition                  |
| ------------- | ----------------------------------------------- | ------- | -------------------------- |
| `ai.model`    | required                                        | 2 of 2  |                            |
| `ai.error`    | conditionally required                          | none    | If it failed \\| timed out. |
| `ai.label`    | opt in                                          | 1 of 2  |                            |
| `ai.messages` | opt in                                          | 1 of 2  |                            |
| `ai.tool`     | of the convention, for others                   | 1 of 2  |                            |
| `ai.vendor`   | no longer in the convention                     | 1 of 2  |                            |
| `ai.new`      | not in the convention, in one of its namespaces | 1 of 2  |                            |
| `http.method` | in no namespace of the convention               | 1 of 2  |                            |

## no type of the convention of `tools`, 1 span

| attribute | level                         | seen on | condition |
| --------- | ----------------------------- | ------- | --------- |
| `ai.tool` | of the convention, for others | 1 of 1  |           |

## `ai.calls` of `app`, 3 series

| attribute    | level                             | seen on | condition |
| ------------ | --------------------------------- | ------- | --------- |
| `ai.model`   | required                          | 2 of 3  |           |
| `ai.error`   | recommended                       | none    |           |
| `app.tenant` | in no namespace of the convention | 1 of 3  |           |
"""


@pytest.fixture
def claim(make_span: Any) -> Callable[..., Claim]:
    """Return a function that makes a span which claims the convention, as a span type or as none."""

    def claim(*, span_type: SpanType | None = CHAT, scope: str = "app", **attributes: Any) -> Claim:
        named = {name.replace("__", "."): value for name, value in attributes.items()}
        return Claim(span=make_span(scope=scope, attributes=named), profile=PROFILE, span_type=span_type)

    return claim


def measured(*series: dict[str, Any]) -> MetricClaim:
    points = tuple(MetricPoint(scope="app", name="ai.calls", attributes=attributes) for attributes in series)
    return MetricClaim(points=points, profile=PROFILE)


def covered(*claims: Claim, metrics: tuple[MetricClaim, ...] = ()) -> Any:
    """Count each span and each metric on its own, as tests do, and return the sum."""
    names = Names([PROFILE])
    of_spans = (seen_of([one], [], names) for one in claims)
    return coverages(add_all((*of_spans, *(seen_of([], [one], names) for one in metrics))))


def test_nothing_claims_a_convention() -> None:
    """Without a span or a metric that claims a convention there is no table."""
    assert to_markdown(covered()) == "No span or metric claims to keep a convention."
    assert json.loads(to_json(covered())) == {"format": "pytest-llmtrace coverage", "version": 1, "coverage": []}


def test_the_page(claim: Callable[..., Claim]) -> None:
    """All attributes that the convention wants are listed by level, seen or not; then all others, with their group.

    Lists and families count as the one attribute that the convention names.
    """
    page = to_markdown(
        covered(
            claim(ai__model="x", ai__messages__0__role="user", ai__messages__1__role="user"),
            claim(ai__model="x", ai__vendor="x", ai__tool="x", ai__new="x", http__method="x", ai__label__team="x"),
            claim(span_type=None, scope="tools", ai__tool="x"),
            metrics=(measured({"ai.model": "x"}, {}), measured({"ai.model": "x", "app.tenant": 1})),
        )
    )
    assert page == PAGE


def test_two_conventions_of_one_name() -> None:
    """Registries in two folders may have one file name: each has a page of its own, and wants its own names."""
    wanted = {"ai.other": Wanted(level=Level.OPT_IN)}
    other = replace(PROFILE, source="elsewhere", metrics={"ai.calls": MetricType(name="ai.calls", attributes=wanted)})
    points = (MetricPoint(scope="app", name="ai.calls", attributes={"ai.model": "x", "ai.other": "x"}),)
    found = covered(metrics=tuple(MetricClaim(points=points, profile=profile) for profile in (PROFILE, other)))
    assert [(one.profile, one.source, one.wanted.get("ai.other")) for one in found] == [
        ("small-1", "elsewhere", (Level.OPT_IN, "", 1)),
        ("small-1", PROFILE.source, None),
    ]


def test_json(claim: Callable[..., Claim]) -> None:
    """The JSON form has the same content, for programs."""
    content = json.loads(to_json(covered(claim(ai__model="x", ai__tool="x"), metrics=(measured({"ai.model": "x"}),))))
    assert content == {
        "format": "pytest-llmtrace coverage",
        "version": 1,
        "coverage": [
            {
                "profile": "small-1",
                "source": "example/small at 1234567",
                "scope": "app",
                "span_type": "chat.client",
                "spans": 1,
                "wanted": {
                    "ai.model": {"level": "required", "condition": "", "seen": 1},
                    "ai.error": {
                        "level": "conditionally_required",
                        "condition": "If it failed | timed out.",
                        "seen": 0,
                    },
                    "ai.messages": {"level": "opt_in", "condition": "", "seen": 0},
                    "ai.label": {"level": "opt_in", "condition": "", "seen": 0},
                },
                "outside": {"elsewhere": {"ai.tool": 1}, "old": {}, "unknown": {}, "foreign": {}},
            },
            {
                "profile": "small-1",
                "source": "example/small at 1234567",
                "scope": "app",
                "metric": "ai.calls",
                "series": 1,
                "wanted": {
                    "ai.model": {"level": "required", "condition": "", "seen": 1},
                    "ai.error": {"level": "recommended", "condition": "", "seen": 0},
                },
                "outside": {"elsewhere": {}, "old": {}, "unknown": {}, "foreign": {}},
            },
        ],
    }
