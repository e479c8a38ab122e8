"""Write cassettes: turn exchanges that went to the network into recordings without secrets, and these into a file."""

from pytest_llmtrace.record._recorder import Recorder, Written, refuse_unsupported

__all__ = ["Recorder", "Written", "refuse_unsupported"]
