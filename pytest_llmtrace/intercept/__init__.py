"""The HTTP port: every request of a test passes here, and is observed, answered or refused.

Observed where a client sends a single request, answered in the connection pool, refused at connect: so that spans of
HTTP instrumentation still appear, and every mock of the user's had its turn before a request is refused. Where nobody
stands between client and pool, which is the rule, the answer is given at once.
"""

from pytest_llmtrace.intercept._ledger import Ledger
from pytest_llmtrace.intercept._port import ensure, install, open_ledger

__all__ = ["Ledger", "ensure", "install", "open_ledger"]
