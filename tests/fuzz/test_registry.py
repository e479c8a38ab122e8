"""Registry files with any content are read, or refused in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Final

from pytest_llmtrace.conventions import from_registry
from pytest_llmtrace.errors import UsageError
from tests.fuzz._mutate import replaced, written

EachMutant = Callable[[Callable[[Random], None]], None]

GROUPS: Final = {
    "groups": [
        {
            "id": "registry.acme",
            "type": "attribute_group",
            "prefix": "acme",
            "attributes": [
                {"id": "tier", "type": {"allow_custom_values": False, "members": [{"id": "free", "value": "free"}]}},
                {"id": "label", "type": "template[string[]]", "stability": "stable"},
                {"id": "old", "type": "int", "deprecated": {"reason": "obsoleted", "note": "gone"}},
            ],
        },
        {
            "id": "base",
            "type": "attribute_group",
            "attributes": [{"ref": "acme.tier", "requirement_level": "required"}],
        },
        {"id": "middle", "extends": "base", "type": "attribute_group"},
        {
            "id": "span.acme",
            "type": "span",
            "span_kind": "client",
            "extends": "middle",
            "attributes": [{"ref": "acme.label", "requirement_level": {"conditionally_required": "if known"}}],
        },
    ]
}
DEFINITIONS: Final = {
    "file_format": "definition/2",
    "imports": {"attribute_groups": ["otel.*"]},
    "attributes": [{"key": "acme.tenant", "type": "string", "deprecated": "Replaced by `acme.owner`."}],
    "attribute_groups": [{"id": "base", "attributes": [{"ref": "acme.tenant"}, {"ref_group": "otel.common"}]}],
    "spans": [{"type": "acme", "kind": "server", "attributes": [{"ref_group": "base"}]}],
    "span_refinements": [{"id": "paid", "ref": "acme", "attributes": [{"ref": "acme.tenant"}]}],
}
NAMES: Final = (
    "acme",
    "acme.label",
    "acme.tier",
    "base",
    "middle",
    "ref",
    "ref_group",
    "required",
    "span.acme",
    "string",
)
LONGEST: Final = 1000


def mutant(random: Random) -> str:
    """Return a registry in which some values are hostile or missing, and some names are exchanged."""
    document: Any = random.choice((GROUPS, DEFINITIONS))
    for _ in range(random.randint(0, 2)):
        document = replaced(random, document)
    text = written(document)
    for _ in range(random.randint(0, 2)):
        text = text.replace(f'"{random.choice(NAMES)}"', f'"{random.choice(NAMES)}"')
    return text


def test_registries(each_mutant: EachMutant, tmp_path: Path) -> None:
    """A registry with up to two mutations of each kind is read, or refused with a sentence fit for any terminal."""
    path = tmp_path / "acme.yaml"

    def check(random: Random) -> None:
        path.write_text(mutant(random), encoding="utf-8", errors="replace")
        try:
            from_registry(path)
        except UsageError as refused:
            text = str(refused)
            assert text.startswith(f"{path} is not a registry of conventions: ")
            assert text.isprintable()
            assert len(text) < LONGEST

    each_mutant(check)
