"""The counts of a contract as they are written: a test more changes few lines of the file.

Most attributes are on each span of their kind, and their counts would all grow with each test. So an attribute that is
on all has no count, one that is on most says on how many it is not, and one that is on fewer than half says on how many
it is. This says the same, since each span, event, log record and metric has a count of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["briefly", "in_full"]

_TABLES: Final = ("spans", "logs", "metrics", "events")


def briefly(whole: Mapping[str, Any]) -> dict[str, Any]:
    """Return a scope, or something with attributes, with the counts of its attributes as they are written."""
    return _changed(whole, _brief)


def in_full(whole: Mapping[str, Any]) -> dict[str, Any]:
    """Return a scope, or something with attributes, with a count for each attribute, whichever way it was written."""
    return _changed(whole, _full)


def _changed(whole: Mapping[str, Any], change: Any) -> dict[str, Any]:
    found = dict(whole)
    for table in _TABLES:
        if table in found:
            found[table] = {name: _changed(inner, change) for name, inner in found[table].items()}
    if "attributes" in found:
        found["attributes"] = {name: change(one, found["seen"]) for name, one in found["attributes"].items()}
    return found


def _brief(attribute: Mapping[str, Any], of: int) -> dict[str, Any]:
    without = of - attribute["seen"]
    if without > attribute["seen"]:
        return dict(attribute)
    return {**({"without": without} if without else {}), "types": attribute["types"]}


def _full(attribute: Mapping[str, Any], of: int) -> dict[str, Any]:
    seen = attribute.get("seen", of - attribute.get("without", 0))
    return {"seen": max(0, seen), "types": attribute["types"]}
