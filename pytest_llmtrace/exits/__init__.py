"""Every way to leave a stream: run one streaming function of the user's under each; for `llmtrace_exits`."""

from pytest_llmtrace.exits._async import take_turns
from pytest_llmtrace.exits._exits import Exits
from pytest_llmtrace.exits._ways import ASYNC_WAYS, WAYS

__all__ = ["ASYNC_WAYS", "WAYS", "Exits", "take_turns"]
