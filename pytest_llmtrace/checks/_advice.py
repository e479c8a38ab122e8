"""What is found of a span or a metric, in the words of Weaver's live check (0.25.1), where it has a word for it."""

from __future__ import annotations

from pytest_llmtrace.conventions import Attribute
from pytest_llmtrace.model import Advice

__all__ = [
    "condition_met",
    "deprecated_attribute",
    "deprecated_metric",
    "missing_attribute",
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
    """Say that it no longer has one."""
    message = f"Attribute '{name}' is deprecated; note = '{note}'."
    return Advice(id="deprecated", level="violation", attribute=name, message=message)


def required_attribute(name: str) -> Advice:
    """Say that one that is always wanted is not there."""
    message = f"Required attribute '{name}' is not present."
    return Advice(id="required_attribute_not_present", level="violation", attribute=name, message=message)


def condition_met(name: str) -> Advice:
    """Say that one that is wanted under a condition, which is met, is not there."""
    return Advice(
        id="conditionally_required_attribute_not_present",
        level="information",
        attribute=name,
        message=f"Conditionally required attribute '{name}' is not present.",
    )


def type_mismatch(name: str, kind: str, attribute: Attribute) -> Advice:
    """Say that one has another type."""
    message = f"Attribute '{name}' has type '{kind}'. Type should be '{' or '.join(attribute.types)}'."
    return Advice(id="type_mismatch", level="violation", attribute=name, message=message)


def undefined_variant(name: str) -> Advice:
    """Say that one has a value that is not in its list."""
    message = f"Enum attribute '{name}' has a value which is not documented."
    return Advice(id="undefined_enum_variant", level="information", attribute=name, message=message)


def missing_metric() -> Advice:
    """Say that the convention does not have a metric."""
    return Advice(id="missing_metric", level="violation", message="Metric does not exist in the registry.")


def deprecated_metric(name: str, note: str) -> Advice:
    """Say that it no longer has one."""
    return Advice(id="deprecated", level="violation", message=f"Metric '{name}' is deprecated; note = '{note}'.")


def unit_mismatch(unit: str, wanted: str) -> Advice:
    """Say that a metric has another unit."""
    return Advice(id="unit_mismatch", level="violation", message=f"Unit should be '{wanted}', but found '{unit}'.")


def unexpected_instrument(kind: str, wanted: str) -> Advice:
    """Say that a metric is of another instrument."""
    message = f"Instrument should be '{wanted}', but found '{kind}'."
    return Advice(id="unexpected_instrument", level="violation", message=message)
