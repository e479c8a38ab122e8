"""Values that are known, and the search for them wherever they come out: those of a call, and canaries put in for it.

Knows no spans: it takes any text, and bytes as text.
"""

from pytest_llmtrace.canaries._canaries import PLACES, Canaries
from pytest_llmtrace.canaries._layers import Glance, layers
from pytest_llmtrace.canaries._search import Kind, Search, Sought

__all__ = ["PLACES", "Canaries", "Glance", "Kind", "Search", "Sought", "layers"]
