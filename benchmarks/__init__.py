"""What pytest-llmtrace costs, as ratios within one run: `python -m benchmarks`."""
