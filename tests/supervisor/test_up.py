"""Signals end `imfine up` whenever they come."""

import subprocess
import sys

EVERY_LINE = """
import os, signal, sys
from imfine.supervisor.up import Stop

def wait_with_signal_at(line):
    stop, passed = Stop(), 0
    def trace(frame, event, arg):
        nonlocal passed
        if event == "line":
            passed += 1
            if passed == line:
                os.kill(os.getpid(), signal.SIGTERM)
        return trace
    sys.settrace(trace)
    stop.wait(0.001)
    sys.settrace(None)
    return passed >= line, stop.asked

line = 1
while True:
    sent, asked = wait_with_signal_at(line)
    if not sent:
        break
    assert asked, line
    line += 1
print("ended")
"""


def test_a_signal_is_heard_at_whatever_line_of_the_waiting_it_comes() -> None:
    out = subprocess.run(
        [sys.executable, "-c", EVERY_LINE], capture_output=True, text=True, timeout=30, check=True
    )
    assert out.stdout == "ended\n", out.stderr
