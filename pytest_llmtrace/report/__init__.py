"""Findings and spans for people."""

from pytest_llmtrace.report.text import render, totals

__all__ = ["render", "totals"]
