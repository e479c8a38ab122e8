"""Anthropic's messages where a cloud serves them: what Bedrock and Vertex AI have in common."""

from __future__ import annotations

from typing import Any

from pytest_llmtrace._stdlib import re
from pytest_llmtrace.replay.gateways import messages
from pytest_llmtrace.replay.gateways._reply import Reply
from pytest_llmtrace.replay.gateways.anthropic import dated

__all__ = ["Messages", "served"]

# `eu.anthropic.claude-haiku-4-5-20251001-v1:0` on Bedrock, `claude-haiku-4-5@20251001` on Vertex AI: Anthropic's own
# name of the model is in the middle. An ARN has it after the last slash; Google's ids may have a `-v2`.
_NAME = re.compile(r"(?:.*[/.])?(?P<name>claude-[^@]+?)(?:-v\d+)?(?:@(?P<date>\d{8}))?(?:-v\d+(?::\w+)*)?$")
_OF_ANTHROPIC = ("service_tier", "inference_geo")


def served(model: str) -> str:
    """Return the name that the body of a reply gives to a model that was requested by a cloud's id."""
    found = _NAME.match(model)
    if found is None:
        return model
    return f"{found['name']}-{found['date']}" if found["date"] else dated(found["name"])


class Messages(messages.Messages):
    """Messages with ids that name the cloud, and without the fields that only Anthropic's own API sends."""

    first_party = False

    def usage(self, reply: Reply) -> dict[str, Any]:
        """Return the usage; fields that only Anthropic's own API sends are in it if they were queued."""
        usage, given = super().usage(reply), reply.script.usage
        return {name: value for name, value in usage.items() if name in given or name not in _OF_ANTHROPIC}
