"""The packs equal the generator's output from the extracts, and state what the conventions state."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

from pytest_llmtrace import conventions
from pytest_llmtrace.conventions import PROFILES, SHIPPED, Level, profile
from pytest_llmtrace.errors import UsageError

ROOT = Path(__file__).parents[3]
GENERATOR = runpy.run_path(str(ROOT / "tools" / "conventions" / "generate.py"))
PACKS = Path(conventions.__file__).parent / "packs"


def test_they_are_generated() -> None:
    """Each pack equals the generator's output byte for byte, and there is no other pack."""
    assert {file.name: file.read_text(encoding="utf-8") for file in PACKS.iterdir()} == GENERATOR["packs"]()


def test_whose_facts_they_are() -> None:
    """NOTICE has the attribution of each pack, as the generator writes it."""
    assert (ROOT / "NOTICE").read_text(encoding="utf-8") == GENERATOR["notice"]()


@pytest.mark.parametrize("name", PROFILES)
def test_each_names_its_source(name: str) -> None:
    """Each pack states repository, commit, licence and attribution."""
    kept = profile(name)
    repository, _, commit = kept.source.partition(" at ")
    assert "/" in repository
    assert commit
    pack = json.loads((PACKS / f"{name}.json").read_text(encoding="utf-8"))
    assert (pack["license"], pack["attribution"].partition(repository)[0]) == ("Apache-2.0", "facts from ")
    assert kept.convention in SHIPPED


def test_august() -> None:
    """August has 13 span types with 202 attributes in all, like the convention's own tables, and 63 names of gen_ai."""
    kept = profile("genai-2026-08")
    types = [kind for kind in kept.span_types.values() if not kind.provider]
    assert (len(types), sum(len(kind.attributes) for kind in types)) == (13, 202)
    assert sum(name.startswith("gen_ai.") for name in kept.attributes) == 63


def test_october() -> None:
    """October is August with its changes: 46 attributes of a call, and cache writes under their new name."""
    kept = profile("genai-2026-10")
    assert len(kept.span_types["gen_ai.client.inference"].attributes) == 46
    assert "gen_ai.inference.client" not in kept.span_types
    assert kept.renames["gen_ai.usage.cache_creation.input_tokens"].new == "gen_ai.usage.cache_write.input_tokens"
    assert "gen_ai.usage.cache_creation.input_tokens" not in kept.attributes


@pytest.mark.parametrize(
    ("name", "number"), [("core-1.36", 5), ("core-1.41.1", 11), ("genai-2026-08", 16), ("genai-2026-10", 23)]
)
def test_metrics(name: str, number: int) -> None:
    """All metrics of the registry are there, with a known instrument, a unit, and buckets unless they count tokens."""
    metrics = profile(name).metrics
    assert len(metrics) == number
    assert {metric.instrument for metric in metrics.values()} <= {"counter", "histogram"}
    assert all(metric.unit and (metric.buckets or metric.unit == "{token}") for metric in metrics.values())


def test_what_october_calls_otherwise() -> None:
    """Calls of a model have metrics of their own in October: counters of tokens, and durations."""
    kept = profile("genai-2026-10")
    assert kept.metrics["gen_ai.client.inference.usage.input_tokens"].required == (
        "gen_ai.operation.name",
        "gen_ai.provider.name",
        "gen_ai.token.modality",
    )
    assert {old: rename.new for old, rename in kept.metric_renames.items()} == {
        "gen_ai.client.token.usage": None,
        "gen_ai.client.operation.time_to_first_chunk": "gen_ai.client.inference.time_to_first_chunk",
        "gen_ai.client.operation.time_per_output_chunk": "gen_ai.client.inference.time_per_output_chunk",
        "gen_ai.workflow.duration": "gen_ai.invoke_workflow.duration",
    }
    moved = kept.metrics["gen_ai.client.operation.duration"].moved
    assert moved == dict.fromkeys(("chat", "generate_content", "text_completion"), "gen_ai.client.inference.duration")


DETAILS = "gen_ai.client.inference.operation.details"
OLD_EVENTS = {f"gen_ai.{name}" for name in ("assistant.message", "choice", "system.message", "tool.message")} | {
    "gen_ai.user.message"
}


@pytest.mark.parametrize(
    ("name", "details", "required"),
    [
        ("core-1.41.1", 29, ("gen_ai.operation.name",)),
        ("genai-2026-08", 37, ("gen_ai.operation.name", "gen_ai.provider.name")),
        ("genai-2026-10", 46, ("gen_ai.operation.name", "gen_ai.provider.name")),
    ],
)
def test_events(name: str, details: int, required: tuple[str, ...]) -> None:
    """Events have as many attributes as in the tables of the documents; in 1.41, none has the provider."""
    kept = profile(name)
    assert {event.name: len(event.attributes) for event in kept.events.values()} == {
        DETAILS: details,
        "gen_ai.client.operation.exception": 3,
        "gen_ai.evaluation.result": 6,
    }
    assert (kept.events[DETAILS].required, kept.events["gen_ai.evaluation.result"].required) == (
        required,
        ("gen_ai.evaluation.name",),
    )
    assert kept.event_renames.keys() == OLD_EVENTS | {"gen_ai.content.completion", "gen_ai.content.prompt"}


def test_events_of_single_messages() -> None:
    """Until 1.36, there was an event for each message and each choice, of which only the system is an attribute."""
    kept = profile("core-1.36")
    assert {name: tuple(event.attributes) for name, event in kept.events.items()} == dict.fromkeys(
        OLD_EVENTS, ("gen_ai.system",)
    )
    assert all(rename.new is None and rename.hint == "" for rename in kept.event_renames.values())


@pytest.mark.parametrize(("name", "types", "rows"), [("core-1.36", 8, 135), ("core-1.41.1", 14, 292)])
def test_core(name: str, types: int, rows: int) -> None:
    """Types and rows match the tables of the documents, which do not repeat the provider in a provider's own table."""
    kinds = profile(name).span_types.values()
    assert len(kinds) == types
    told = {"openai", "az.ai.inference", "azure.ai.inference", "anthropic"}
    assert sum(len(kind.attributes) - (kind.provider in told) for kind in kinds) == rows


@pytest.mark.parametrize("name", PROFILES)
def test_wanted_names_are_known(name: str) -> None:
    """All names that types, metrics and renames refer to are among the attributes and metrics."""
    kept = profile(name)
    named = {each for kind in kept.span_types.values() for each in (*kind.attributes, *kind.unused, kind.when[0])}
    named |= {rename.new for rename in kept.renames.values() if rename.new}
    named |= {each for metric in kept.metrics.values() for each in metric.attributes}
    named |= {each for event in kept.events.values() for each in event.attributes}
    assert not named - kept.attributes.keys()
    used = {rename.new for rename in kept.metric_renames.values() if rename.new}
    used |= {new for metric in kept.metrics.values() for new in metric.moved.values()}
    assert not used - kept.metrics.keys()


@pytest.mark.parametrize("name", PROFILES)
def test_no_name_is_old_and_new(name: str) -> None:
    """A convention no longer has the names that it has renamed."""
    kept = profile(name)
    assert not kept.attributes.keys() & kept.renames.keys()
    assert not kept.metrics.keys() & kept.metric_renames.keys()
    assert not kept.events.keys() & kept.event_renames.keys()


@pytest.mark.parametrize("name", ["genai-2026-08", "genai-2026-10"])
def test_what_is_not_used(name: str) -> None:
    """A retrieval has a top-k of its own, and fetching an answer does not count its tokens again."""
    kinds = profile(name).span_types
    assert kinds["gen_ai.retrieval.client"].unused == {"gen_ai.request.top_k"}
    assert kinds["openai.fetch_response.client"].unused == {"gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"}


def test_levels() -> None:
    """The provider is required since 1.37; before, it was the system."""
    before, after = (profile(name).span_types["gen_ai.inference.client"] for name in ("core-1.36", "core-1.41.1"))
    assert before.attributes["gen_ai.system"].level is Level.REQUIRED
    assert after.attributes["gen_ai.provider.name"].level is Level.REQUIRED


def test_a_false_file_system_hides_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packs are read on first use, which may be in a test that has replaced the file system (pyfakefs)."""
    known = profile("openinference")
    profile.cache_clear()
    with monkeypatch.context() as patched:
        for name in ("io.open", "builtins.open"):
            patched.setattr(name, lambda *_, **__: pytest.fail("this asks the file system of the test"))
        assert profile("openinference").attributes == known.attributes


def test_a_test_that_hides_packages_hides_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packs are read on first use, which may be in a test that makes every package impossible to find."""
    known = profile("openinference")
    profile.cache_clear()
    with monkeypatch.context() as patched:
        patched.setattr("importlib.util.find_spec", lambda *_: None)
        assert profile("openinference").attributes == known.attributes


def test_an_unknown_name() -> None:
    """The error names the nearest known convention."""
    with pytest.raises(UsageError, match=r"^unknown convention 'genai-26-08': did you mean 'genai-2026-08'\?"):
        profile("genai-26-08")
