"""What goes wrong on the way: faults that are put on any reply, or come instead of one."""

from pytest_llmtrace.faults._faults import Faults
from pytest_llmtrace.faults._plan import Fault

__all__ = ["Fault", "Faults"]
