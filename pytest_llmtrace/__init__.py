"""Verify the telemetry of LLM calls in tests."""
