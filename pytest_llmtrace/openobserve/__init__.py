"""Convert a `SpanRecord` into the record that OpenObserve stores for it, without asking a server.

Its rules restate facts about the server's releases; each profile stands for a range of releases. What a server takes
from its own catalogues (prices, estimated tokens) is named, never invented.
"""

from pytest_llmtrace.openobserve._instead import instead
from pytest_llmtrace.openobserve._record import Record, record, records, typed_columns
from pytest_llmtrace.openobserve._server import NEWEST, PROFILES, server
from pytest_llmtrace.openobserve._stream import Stream
from pytest_llmtrace.openobserve._values import column

__all__ = [
    "NEWEST",
    "PROFILES",
    "Record",
    "Stream",
    "column",
    "instead",
    "record",
    "records",
    "server",
    "typed_columns",
]
