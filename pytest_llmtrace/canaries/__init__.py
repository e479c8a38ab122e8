"""Search for known values wherever they come out: the values of a call, and canaries that a test puts in for it.

This package knows nothing of spans: it searches any text, and bytes as text.
"""

from pytest_llmtrace.canaries._canaries import PLACES, Canaries
from pytest_llmtrace.canaries._layers import Glance, layers
from pytest_llmtrace.canaries._search import Kind, Search, Sought

__all__ = ["PLACES", "Canaries", "Glance", "Kind", "Search", "Sought", "layers"]
