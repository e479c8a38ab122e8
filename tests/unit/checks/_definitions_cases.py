"""The definitions of tools in the request against those of the span."""

from __future__ import annotations

from typing import Any

from pytest_llmtrace.model import Fact
from tests.unit.checks._cases import ABSENT, seen
from tests.unit.checks._past_call_cases import LIBRARY

ID = "wire/tool-definitions"
OTHER = (
    "whoever asks why a tool was called in this way, or not at all, reads another description or schema than the model "
    "had"
)
CITY = {"type": "string", "description": "The city", "minLength": 2}
UNIT = {"type": ["string", "null"], "enum": ["c", "f", None], "default": None}
DAYS = {"anyOf": [{"type": "integer", "description": "How many"}, {"type": "null"}]}
SCHEMA = {
    "type": "object",
    "properties": {"city": CITY, "unit": UNIT, "days": DAYS},
    "required": ["city", "unit"],
    "additionalProperties": False,
}
LONG = "Tells the weather of a city, as it is known at the time of the call, and in whatever unit is asked for."
LOOK = {"name": "look", "description": LONG, "parameters": SCHEMA}
HEAR = {"name": "hear", "description": "Listens."}
_FIELDS = {"description": "function.description", "parameters": "function.parameters"}


def sent(*tools: dict[str, Any]) -> dict[str, Fact]:
    """Make the definitions of the tools that a request offers."""
    said = [(number, key, tool[key]) for number, tool in enumerate(tools) for key in tool if key != "name"]
    return {"tool_definitions": seen(list(tools), *((f"tools[{at}].{_FIELDS[key]}", value) for at, key, value in said))}


def shown(*tools: Any) -> dict[str, Any]:
    """Make the definitions that a span shows."""
    return {"tool_definitions": list(tools)}


def look(*without: str, **properties: Any) -> dict[str, Any]:
    """Make the tool `LOOK` with other parameters, or without some of them."""
    known = {name: schema for name, schema in SCHEMA["properties"].items() if name not in without}  # type: ignore[attr-defined]
    return {**LOOK, "parameters": {**SCHEMA, "properties": {**known, **properties}}}


def schema(**keywords: Any) -> dict[str, Any]:
    """Make the tool `LOOK` with other keywords in its schema."""
    return {**LOOK, "parameters": {**SCHEMA, **keywords}}


def _fault(mine: dict[str, Any], said: str, true: str, *fields: Any) -> tuple[Any, ...]:
    return (
        ID,
        sent(LOOK, HEAR),
        shown(mine),
        f"gen_ai.tool_definitions['look'].{said}",
        f"tools[0].{true}",
        OTHER,
        *fields,
    )


# The fields of a case are those in `_prompt_cases`.
FAULTS: tuple[tuple[Any, ...], ...] = (
    _fault(
        {**LOOK, "description": LONG.replace("weather", "time")},
        "description: 'Tells the time of a city, as it is known'...",
        "function.description: 'Tells the weather of a city, as it is kn'..., different from character 11 on",
    ),
    _fault(
        look(city={**CITY, "type": "integer"}),
        "parameters.properties.city.type: 'integer'",
        "function.parameters.properties.city.type: 'string'",
        LIBRARY,
    ),
    _fault(
        look(city={**CITY, "description": "The town"}),
        "parameters.properties.city.description: 'The town'",
        "function.parameters.properties.city.description: 'The city'",
    ),
    _fault(
        look("city", town=CITY),
        "parameters.properties: ['town']",
        "function.parameters.properties: ['city', 'unit', 'days']",
    ),
    _fault(
        look(unit={**UNIT, "enum": ["c", "k", None]}),
        "parameters.properties.unit.enum: ['k', 'c', None]",
        "function.parameters.properties.unit.enum: ['f', 'c', None]",
    ),
    _fault(
        look(days={"anyOf": [{"type": "number"}, {"type": "null"}]}),
        "parameters.properties.days.anyOf[0].type: 'number'",
        "function.parameters.properties.days.anyOf[0].type: 'integer'",
    ),
    _fault(
        look(days={"anyOf": [{"type": "integer"}]}),
        "parameters.properties.days.anyOf: [{'type': 'integer'}]",
        "function.parameters.properties.days.anyOf: [{'type': 'integer', 'description': 'How many'}, {'type': 'null'}]",
    ),
    _fault(
        schema(required=["city"]), "parameters.required: ['city']", "function.parameters.required: ['unit', 'city']"
    ),
    _fault(
        look(city="string"),
        "parameters.properties.city: 'string'",
        "function.parameters.properties.city: {'type': 'string', 'description': 'The city', 'minLength': 2}",
    ),
    _fault(
        schema(additionalProperties=True),
        "parameters.additionalProperties: True",
        "function.parameters.additionalProperties: False",
    ),
    (
        ID,
        sent({**HEAR, "description": ""}),
        shown(HEAR),
        "gen_ai.tool_definitions['hear'].description: 'Listens.'",
        "tools[0].function.description: ''",
        OTHER,
    ),
    # A tool's parameters may have names that are keywords of a schema.
    (
        ID,
        sent(
            {"name": "set", "parameters": {"properties": {"properties": {"type": "object"}, "b c": {"type": "null"}}}}
        ),
        shown({"name": "set", "parameters": {"properties": {"properties": {"title": "P"}, "b c": {"type": "string"}}}}),
        "gen_ai.tool_definitions['set'].parameters.properties['b c'].type: 'string'",
        "tools[0].function.parameters.properties['b c'].type: 'null'",
        OTHER,
    ),
)

NO_FAULTS: tuple[tuple[Any, ...], ...] = (
    (ID, sent(LOOK, HEAR), shown(HEAR, LOOK), LIBRARY),
    # The order of keys and of unordered lists, lists or tuples, and white space do not matter.
    (ID, sent(LOOK), shown(schema(required=("unit", "city"), type="object")), LIBRARY),
    (ID, sent(LOOK), shown(look(unit={"enum": (None, "f", "c"), "type": ("null", "string")})), LIBRARY),
    (ID, sent(HEAR), shown({**HEAR, "description": "\n    Listens.\n"}), LIBRARY),
    # Fields that only one side has do not matter: helpers add some, and conventions leave some out.
    (ID, sent(LOOK), shown(schema(title="Look", strict=True, properties={"city": {"title": "City", **CITY}}))),
    (ID, sent(LOOK), shown({"name": "look", "description": LONG}, {"name": "look", "parameters": {}}), LIBRARY),
    (ID, sent(LOOK), shown({**HEAR, "name": "look", "description": None}, {"name": "look", "description": ""})),
    (ID, sent({"name": "look"}), shown(LOOK), LIBRARY),
    (ID, sent(LOOK), shown(look("city", "unit", "days")), LIBRARY),
    # If several tools have one name, it is not known which is meant; a tool that was not offered is reported by name.
    (ID, sent(LOOK, {**HEAR, "name": "look"}), shown({"name": "look", "description": "Looks."}), LIBRARY),
    (ID, sent(LOOK), shown({**HEAR, "name": "smell"}), LIBRARY),
    # Definitions that are masked or cut cannot be compared.
    (ID, sent(LOOK), shown({**LOOK, "description": "__REDACTED__"}), LIBRARY),
    (ID, sent(LOOK), shown({**LOOK, "description": LONG.replace("a city", "[PLACE]")}), LIBRARY),
    (ID, sent(LOOK), shown({**LOOK, "description": LONG[:40] + "..."}), LIBRARY),
    (ID, sent(LOOK), shown({**LOOK, "description": LONG[:40]}), {"record": {"text_limit": 40}}),
    (ID, sent(LOOK), shown(look(city="[REDACTED]")), LIBRARY),
    (ID, sent(LOOK), shown(look(**{"[REDACTED]": CITY})), LIBRARY),
    (ID, sent(LOOK), shown(look(unit={"enum": ["c", "..."]})), LIBRARY),
    (ID, {"tool_definitions": ABSENT}, shown(LOOK)),
    (ID, sent(LOOK), {}, LIBRARY),
    (ID, sent(LOOK), {"tool_definitions": "look"}),
    (ID, sent(LOOK), shown(None, 7, {"name": 1, "description": 2}, LOOK)),
)
