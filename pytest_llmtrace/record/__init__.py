"""The writing of cassettes: exchanges that went to the network -> recordings without secrets -> a file."""

from pytest_llmtrace.record._recorder import Recorder, Written, refuse_unsupported

__all__ = ["Recorder", "Written", "refuse_unsupported"]
