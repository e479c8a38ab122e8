"""Search telemetry for known values: the secrets and content of a call, and canaries that a test plants.

This package knows nothing of spans: it searches any text, and bytes as text.
"""

from pytest_llmtrace.canaries._canaries import PLACES, Canaries
from pytest_llmtrace.canaries._layers import Glance, layers
from pytest_llmtrace.canaries._search import Kind, Search, Sought, is_wordy

__all__ = ["PLACES", "Canaries", "Glance", "Kind", "Search", "Sought", "is_wordy", "layers"]
