"""Time: the order of events, and a virtual clock for the code under test.

Virtual time is real time, plus a shift that grows when a recorded reply would have made its client wait. Only the code
under test sees it: event loops, timeouts, pools and pytest itself keep real time.
"""

from pytest_llmtrace.clock._offsets import flaw
from pytest_llmtrace.clock._pace import Pace, pace
from pytest_llmtrace.clock._shift import now, wall_ns
from pytest_llmtrace.clock._ticks import tick
from pytest_llmtrace.clock._timing import Clock, Timing, refuse_timing
from pytest_llmtrace.clock._watch import Watch

__all__ = ["Clock", "Pace", "Timing", "Watch", "flaw", "now", "pace", "refuse_timing", "tick", "wall_ns"]
