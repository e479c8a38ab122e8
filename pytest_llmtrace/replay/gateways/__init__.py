"""Scripted gateways: replies that a test writes, in the wire form of the gateway that it names."""

from pytest_llmtrace.replay.gateways._failures import broken_off, failed
from pytest_llmtrace.replay.gateways._gateway import Gateway
from pytest_llmtrace.replay.gateways._profiles import GATEWAYS, cloud_of, profile
from pytest_llmtrace.replay.gateways._script import Failing

__all__ = ["GATEWAYS", "Failing", "Gateway", "broken_off", "cloud_of", "failed", "profile"]
