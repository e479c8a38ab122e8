"""Which exporters are muted, shown with made-up ones; test_capture_real_exporters has the real ones."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from pytest_llmtrace.capture._otel_internals import LOG_EXPORT_SUCCESS, LOG_EXPORTERS


def made(base: type, module: str) -> Any:
    """Make an exporter class as its module would, after capture was installed."""

    def export(self: object, batch: object, *args: object) -> object:
        return "exported", batch

    rest = dict.fromkeys(("force_flush", "shutdown", "__init__"), lambda *_: None)
    return type("Exporter", (base,), {"__module__": module, "export": export, **rest})


BASES = [(SpanExporter, SpanExportResult.SUCCESS), (MetricExporter, MetricExportResult.SUCCESS)]
BASES += [(LOG_EXPORTERS[0], LOG_EXPORT_SUCCESS)]


@pytest.mark.parametrize(("base", "success"), BASES)
def test_otlp_is_muted(base: type, success: object) -> None:
    """An OTLP exporter reports success and sends nothing."""
    exporter = made(base, "opentelemetry.exporter.otlp.proto.made_up")()
    assert exporter.export("batch") is success


@pytest.mark.parametrize(("base", "success"), BASES)
def test_what_derives_from_otlp_is_muted(base: type, success: object) -> None:
    """A product's exporter that derives from an OTLP one is muted only where it calls that one to send."""
    otlp = made(base, "opentelemetry.exporter.otlp.proto.made_up")

    class Product(otlp):  # type: ignore[misc,valid-type]
        def export(self, batch: object) -> object:
            return "product", super().export(batch)

    assert Product().export("batch") == ("product", success)


@pytest.mark.parametrize(("base", "success"), BASES)
@pytest.mark.parametrize("module", ["opentelemetry.sdk.trace.export", "opentelemetry.exporter.otlp.json.file", "app"])
def test_others_are_left_alone(base: type, success: object, module: str) -> None:
    """Console, in-memory and file exporters, and the app's own, do what they always do."""
    exporter = made(base, module)()
    assert exporter.export("batch") == ("exported", "batch")
