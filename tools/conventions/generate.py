"""Write NOTICE and the packs of conventions from the extracts beside this file: `python tools/conventions/generate.py`.

An extract is a table of names, types, levels and conditions (in our own words) as a convention states them at a named
commit. A pack is what `pytest_llmtrace.conventions` loads. `genai-2026-10` is `genai-2026-08` with a list of changes.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

EXTRACTS = Path(__file__).parent / "extracts"
ROOT = Path(__file__).parents[2]
PACKS = ROOT / "pytest_llmtrace" / "conventions" / "packs"
NOTICE = ROOT / "NOTICE"

OTEL = ("core-1.36", "core-1.41.1", "genai-2026-08", "genai-2026-10")
OTEL_NAMESPACES = ("gen_ai.", "mcp.", "openai.")
OPENINFERENCE_NAMESPACES = ("embedding.", "llm.", "openinference.", "reranker.", "retrieval.")
INDEXED_BY_OPENLLMETRY = ("gen_ai.completion", "gen_ai.prompt", "llm.request.functions")
"""Lists that OpenLLMetry's older instrumentations write as `gen_ai.prompt.0.role`."""

NOTICE_HEAD = """pytest-llmtrace

The files in pytest_llmtrace/conventions/packs hold names, types and levels from these projects, in words of our own:

"""

Table = dict[str, Any]


def packs() -> dict[str, str]:
    """Return the text of each pack by the name of its file."""
    return {f"{pack['name']}.json": json.dumps(pack, indent=1, ensure_ascii=False) + "\n" for pack in _packs()}


def notice() -> str:
    """Return the text of NOTICE, with the attribution of the facts in each pack."""
    told = (f"{pack['name']}.json ({pack['license']}): {pack['attribution']}\n" for pack in _packs())
    return NOTICE_HEAD + "".join(told)


def _packs() -> list[Table]:
    return [*(_otel(name) for name in OTEL), _openinference(), _openllmetry(), _test_cicd_vcs()]


def _extract(name: str) -> Table:
    found: Table = json.loads((EXTRACTS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def _pack(name: str, convention: str, source: Mapping[str, str], **fields: Any) -> Table:
    return {
        "name": name,
        "convention": convention,
        "source": f"{source['repository']} at {_version(source)}",
        "license": source["license"],
        "attribution": f"facts from {source['repository']} ({source['path']}), {source['commit']}, {source['date']}"
        + (f"; {source['note']}" if "note" in source else ""),
        **fields,
    }


def _version(source: Mapping[str, str]) -> str:
    commit = source["commit"][:8]
    return f"{source['tag']} ({commit})" if "tag" in source else commit


# --- OpenTelemetry ---------------------------------------------------------------------------------------------------


def _otel(name: str) -> Table:
    extract, renames = _otel_extract(name), _extract("otel-renames")
    return _pack(
        name,
        "otel-genai",
        extract["source"],
        namespaces=OTEL_NAMESPACES,
        attributes={each: _attribute(stated) for each, stated in sorted(extract["attributes"].items())},
        span_types=_span_types(extract["spans"]),
        metrics={each: _metric(stated) for each, stated in sorted(extract["metrics"].items())},
        events={each: _event(stated, extract["spans"]) for each, stated in sorted(extract["events"].items())},
        renames={old: _rename(renames["renames"][old], extract["attributes"]) for old in renames["from"][name]},
        metric_renames=extract.get("metric_renames", {}),
        event_renames={
            old: _rename(stated, extract["attributes"])
            for old, stated in renames["event_renames"].items()
            if old not in extract["events"]
        },
        patterns=(),
    )


def _rename(stated: Table, attributes: Table) -> Table:
    """Return a rename without its hint if the hint names an attribute that this version does not have."""
    return {key: value for key, value in stated.items() if key != "hint" or value in attributes}


def _otel_extract(name: str) -> Table:
    extract = _extract(f"otel-{name}")
    if "based_on" not in extract:
        return extract
    changed = copy.deepcopy(_extract(extract["based_on"]))
    changed["source"] = extract["source"]
    changed["attributes"] = {
        each: stated
        for each, stated in (changed["attributes"] | extract["define"]).items()
        if each not in extract["drop"]
    }
    changed["metric_renames"] = {}
    for change in extract["changes"]:
        if not _apply_to_metrics(change, changed["metrics"], changed["metric_renames"]):
            _apply(change, changed["spans"])
            _follow(change, changed["events"])
    return changed


def _apply_to_metrics(change: Table, metrics: Table, renames: Table) -> bool:
    """Apply a change if it is one of metrics, and record what became of old names; tell whether it was."""
    match change:
        case {"define_metric": new, "as": stated}:
            metrics[new] = stated
        case {"drop_metric": old, "hint": hint, "because": because}:
            del metrics[old]
            renames[old] = {"new": None, "since": f"genai {because}", "hint": hint}
        case {"move_metric": old, "to": new, "of": operations}:
            metrics[old] = {**metrics[old], "moved": dict.fromkeys(operations, new)}
        case {"rename_metric": old, "to": new, "because": because}:
            metrics[new] = metrics.pop(old)
            renames[old] = {"new": new, "since": f"genai {because}"}
        case _:
            return False
    return True


def _apply(change: Table, spans: Table) -> None:
    match change:
        case {"rename_span": old, "to": new}:
            spans[new] = spans.pop(old)
            for span in spans.values():
                span.update({"refines": new} if span.get("refines") == old else {})
        case {"remove": attribute, "from": span}:
            del spans[span]["attributes"][attribute]
        case {"add": attribute, "to": span, "wanted": wanted}:
            if attribute in spans[span]["attributes"]:
                raise ValueError(f"{attribute} is on {span} already")
            spans[span]["attributes"][attribute] = wanted
        case {"change": attribute, "of": span, "wanted": wanted}:
            if attribute not in spans[span]["attributes"]:
                raise ValueError(f"{attribute} is not on {span}")
            spans[span]["attributes"][attribute] = wanted
        case _:
            raise ValueError(f"no such change: {change}")


def _follow(change: Table, events: Table) -> None:
    """Let the events that repeat the attributes of a span know its new name."""
    for event in events.values():
        if "rename_span" in change and event.get("repeats") == change["rename_span"]:
            event["repeats"] = change["to"]


def _span_types(spans: Table) -> Table:
    """Return the span types, a provider's before the type that it refines, since a span gets the first that fits."""
    refined = {name: _refined(span, spans[span["refines"]]) for name, span in spans.items() if "refines" in span}
    plain = {name: span for name, span in spans.items() if name not in refined}
    return {name: _span_type(name, span) for name, span in {**refined, **plain}.items()}


def _refined(span: Table, base: Table) -> Table:
    attributes = {**base["attributes"], **span["attributes"]}
    wanted = {name: attributes[name] for name in sorted(attributes.keys() - span.get("without", []))}
    return {**base, **span, "attributes": wanted}


def _metric(stated: Table) -> Table:
    return {
        "instrument": stated["instrument"],
        "unit": stated["unit"],
        "buckets": stated.get("buckets", []),
        "attributes": {each: wanted.split(" | ") for each, wanted in stated["attributes"].items()},
        "moved": stated.get("moved", {}),
    }


def _event(stated: Table, spans: Table) -> Table:
    """Return an event with its attributes, among them those of the span that it repeats."""
    repeated = spans[stated["repeats"]]["attributes"] if "repeats" in stated else {}
    attributes = {**repeated, **stated.get("attributes", {})}
    wanted = {name: attributes[name] for name in sorted(attributes.keys() - stated.get("without", []))}
    return {"attributes": {each: level.split(" | ") for each, level in wanted.items()}}


def _span_type(name: str, span: Table) -> Table:
    method = name.startswith("mcp.")
    return {
        "kinds": span["kinds"],
        "names": span.get("names", []),
        "attributes": {each: wanted.split(" | ") for each, wanted in span["attributes"].items()},
        "unused": span.get("unused", []),
        "when": ["mcp.method.name", []] if method else ["gen_ai.operation.name", span["operations"]],
        "provider": span.get("provider", ""),
    }


def _attribute(stated: Table) -> Table:
    kind = stated["type"]
    is_template = kind.startswith("template[")
    return {
        "types": [kind.removeprefix("template[").removesuffix("]")] if is_template else kind.split("|"),
        "values": stated.get("values", []),
        "open": stated.get("open", True),
        "family": is_template or stated.get("family", False),
    }


# --- The others ------------------------------------------------------------------------------------------------------


def _openinference() -> Table:
    extract = _extract("openinference")
    return _pack(
        "openinference",
        "openinference",
        extract["source"],
        namespaces=OPENINFERENCE_NAMESPACES,
        attributes={name: _attribute(stated) for name, stated in extract["attributes"].items()},
        span_types={kind: _of_kind(kind, extract) for kind in extract["span_kinds"]},
        metrics={},
        events={},
        renames={},
        metric_renames={},
        event_renames={},
        patterns=extract["patterns"],
    )


def _of_kind(kind: str, extract: Table) -> Table:
    required = [*extract["required"]["*"], *extract["required"].get(kind, [])]
    where = extract["where_it_applies"].get(kind, [])
    return {
        "kinds": [],
        "names": extract["names"].get(kind, []),
        "attributes": {
            **{name: ["required"] for name in required},
            **{name: ["conditionally_required", "where it applies"] for name in where},
        },
        "unused": extract["unused"].get(kind, []),
        "when": ["openinference.span.kind", [kind]],
        "provider": "",
    }


def _openllmetry() -> Table:
    """Return OpenLLMetry's pack: its own names, and OpenTelemetry's, which its spans use as well."""
    extract = _extract("openllmetry")
    others = {name: stated for each in OTEL[:3] for name, stated in _otel_extract(each)["attributes"].items()}
    renamed = _extract("otel-renames")["renames"]
    attributes = {name: {"type": "any"} for name in renamed} | others | extract["attributes"]
    attributes |= {name: {"type": "any", "family": True} for name in INDEXED_BY_OPENLLMETRY}
    attributes = {name: stated for name, stated in attributes.items() if name not in extract["renames"]}
    return _pack(
        "openllmetry",
        "openllmetry",
        extract["source"],
        namespaces=("traceloop.",),
        attributes={name: _attribute(stated) for name, stated in sorted(attributes.items())},
        span_types={
            f"{types.get('prefix', '')}{value}": _of_value(types, value)
            for types in extract["span_types"]
            for value in types["values"]
        },
        # Names of metrics only: the package states no instruments or units, and each instrumentation has its own.
        metrics={name: _metric({"instrument": "", "unit": None, "attributes": {}}) for name in extract["metrics"]},
        # Names of events only, too.
        events={name: {"attributes": {}} for name in extract["events"]},
        renames=extract["renames"],
        metric_renames={},
        event_renames={},
        patterns=(),
    )


def _of_value(types: Table, value: str) -> Table:
    return {
        "kinds": [],
        "names": [],
        "attributes": {name: ["required"] for name in types.get("required", [])},
        "unused": [],
        "when": [types["of"], [value]],
        "provider": "",
    }


def _test_cicd_vcs() -> Table:
    extract = _extract("test-cicd-vcs")
    return _pack(
        "test-cicd-vcs",
        "otel-core",
        extract["source"],
        namespaces=("cicd.", "test.", "vcs."),
        attributes={name: _attribute(stated) for name, stated in extract["attributes"].items()},
        span_types={},
        metrics={},
        events={},
        renames={},
        metric_renames={},
        event_renames={},
        patterns=(),
    )


if __name__ == "__main__":
    PACKS.mkdir(exist_ok=True)
    for file, text in packs().items():
        (PACKS / file).write_text(text, encoding="utf-8")
    NOTICE.write_text(notice(), encoding="utf-8")
