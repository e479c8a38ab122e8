"""Findings and spans for people."""

from pytest_llmtrace.report.text import account, counted, render, totals

__all__ = ["account", "counted", "render", "totals"]
