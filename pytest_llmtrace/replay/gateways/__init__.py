"""Scripted gateways: replies that a test writes, in the wire form of the gateway that it names."""

from pytest_llmtrace.replay.gateways._gateway import Gateway
from pytest_llmtrace.replay.gateways._profiles import GATEWAYS

__all__ = ["GATEWAYS", "Gateway"]
