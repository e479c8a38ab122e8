"""Word findings about spans, metrics and events as Weaver's live check (0.25.1) does, where it has words for them."""

from __future__ import annotations

from pytest_llmtrace.conventions import Attribute
from pytest_llmtrace.model import Advice

__all__ = [
    "condition_met",
    "deprecated_attribute",
    "deprecated_event",
    "deprecated_metric",
    "missing_attribute",
    "missing_event",
    "missing_metric",
    "required_attribute",
    "type_mismatch",
    "undefined_variant",
    "unexpected_instrument",
    "unit_mismatch",
]


def missing_attribute(name: str) -> Advice:
    """Say that the convention does not have an attribute."""
    message = f"Attribute '{name}' does not exist in the registry."
    return Advice(id="missing_attribute", level="violation", attribute=name, message=message)


def deprecated_attribute(name: str, note: str) -> Advice:
    """Say that the convention no longer has an attribute."""
    message = f"Attribute '{name}' is deprecated; note = '{note}'."
    return Advice(id="deprecated", level="violation", attribute=name, message=message)


def required_attribute(name: str) -> Advice:
    """Say that an attribute that is always required is missing."""
    message = f"Required attribute '{name}' is not present."
    return Advice(id="required_attribute_not_present", level="violation", attribute=name, message=message)


def condition_met(name: str) -> Advice:
    """Say that an attribute that is required under a condition is missing, although the condition is met."""
    return Advice(
        id="conditionally_required_attribute_not_present",
        level="information",
        attribute=name,
        message=f"Conditionally required attribute '{name}' is not present.",
    )


def type_mismatch(name: str, kind: str, attribute: Attribute) -> Advice:
    """Say that an attribute has a type that the convention does not give it."""
    message = f"Attribute '{name}' has type '{kind}'. Type should be '{' or '.join(attribute.types)}'."
    return Advice(id="type_mismatch", level="violation", attribute=name, message=message)


def undefined_variant(name: str) -> Advice:
    """Say that an attribute has a value that is not in the convention's list for it."""
    message = f"Enum attribute '{name}' has a value which is not documented."
    return Advice(id="undefined_enum_variant", level="information", attribute=name, message=message)


def missing_metric() -> Advice:
    """Say that the convention does not have a metric."""
    return Advice(id="missing_metric", level="violation", message="Metric does not exist in the registry.")


def deprecated_metric(name: str, note: str) -> Advice:
    """Say that the convention no longer has a metric."""
    return Advice(id="deprecated", level="violation", message=f"Metric '{name}' is deprecated; note = '{note}'.")


def missing_event() -> Advice:
    """Say that the convention does not have an event."""
    return Advice(id="missing_event", level="violation", message="Event does not exist in the registry.")


def deprecated_event(name: str, note: str) -> Advice:
    """Say that the convention no longer has an event."""
    return Advice(id="deprecated", level="violation", message=f"Event '{name}' is deprecated; note = '{note}'.")


def unit_mismatch(unit: str, wanted: str) -> Advice:
    """Say that a metric has another unit than the convention gives it."""
    return Advice(id="unit_mismatch", level="violation", message=f"Unit should be '{wanted}', but found '{unit}'.")


def unexpected_instrument(kind: str, wanted: str) -> Advice:
    """Say that a metric comes from another kind of instrument than the convention wants."""
    message = f"Instrument should be '{wanted}', but found '{kind}'."
    return Advice(id="unexpected_instrument", level="violation", message=message)
