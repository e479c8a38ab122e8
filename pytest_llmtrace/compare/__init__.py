"""Compare every installed instrumentor with every built-in recording and scripted reply: which facts are right?"""

from pytest_llmtrace.compare._command import add_command

__all__ = ["add_command"]
