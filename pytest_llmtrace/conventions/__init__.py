"""What the conventions say, at named commits: tables of attributes and of types of spans. Knows no trace.

The tables are written by `tools/conventions/generate.py` from extracts of the conventions' own sources.
"""

from pytest_llmtrace.conventions._profile import Attribute, Level, Profile, Rename, SpanType, Wanted

__all__ = ["Attribute", "Level", "Profile", "Rename", "SpanType", "Wanted"]
