"""What writes cassettes: exchanges that went to the network -> recordings without secrets -> a file."""

from pytest_llmtrace.record._recorder import Recorder, Written

__all__ = ["Recorder", "Written"]
