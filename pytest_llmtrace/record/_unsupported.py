"""What vcrpy can do to a file while it records, and this recorder cannot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_llmtrace.errors import UsageError

__all__ = ["refuse_unsupported"]


def refuse_unsupported(config: Mapping[str, Any], mode: str) -> None:
    """Refuse a configuration that means something in a mode, and would not be acted on.

    Args:
        config: A `vcr_config` or `llmtrace_config`.
        mode: In which somebody is about to record: `once` where there is no file, `new` or `all`.

    Raises:
        UsageError: `new` is asked to drop what was not played. One test of several that record into a file would drop
            what the others play. In the other modes nothing is left that could be dropped.
    """
    if mode == "new" and config.get("drop_unused_requests"):
        raise UsageError(
            "vcr_config['drop_unused_requests']: the mode `new` adds interactions and drops none; "
            "--llmtrace-record=all writes a file with nothing but what the test asks for"
        )
