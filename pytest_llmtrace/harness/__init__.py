"""`LLMTrace`, the one object that users hold. It opens replay, interception and capture, closes them and verifies.

It needs no pytest: the plugin opens one `LLMTrace` for each test.
"""

from pytest_llmtrace.harness._trace import LLMTrace

__all__ = ["LLMTrace"]
