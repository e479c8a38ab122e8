"""Checks: data that judges a trace. Each looks at the evidence and says what it found, and at how much it looked."""

from pytest_llmtrace.checks._check import Check, Evidence, Leftover
from pytest_llmtrace.checks._registry import CHECKS, Verdict, known_ids, refuse_unknown, verify

__all__ = ["CHECKS", "Check", "Evidence", "Leftover", "Verdict", "known_ids", "refuse_unknown", "verify"]
