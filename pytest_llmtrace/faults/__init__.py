"""Faults that a test plans: put on any reply on its way to the client, or sent in place of one."""

from pytest_llmtrace.faults._faults import Faults
from pytest_llmtrace.faults._plan import Fault

__all__ = ["Fault", "Faults"]
