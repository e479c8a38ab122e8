"""The HTTP port: every request of a test passes here, and is observed, answered or refused.

A request is observed where a client sends it, answered in the connection pool and refused at connect, so that spans of
HTTP instrumentation still appear and every mock of the user's has had its turn before a request is refused. If nothing
stands between client and pool, as is usual, the request is answered where it is observed.
"""

from pytest_llmtrace.intercept._ledger import Ledger
from pytest_llmtrace.intercept._port import ensure, install, open_ledger

__all__ = ["Ledger", "ensure", "install", "open_ledger"]
