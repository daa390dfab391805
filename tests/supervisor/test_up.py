"""Signals end `imfine up` whenever they come."""

import subprocess
import sys

SIGNALS = """
import os, signal, threading
from imfine.supervisor.up import Stop
for _ in range(3000):
    stop = Stop()
    threading.Thread(target=lambda: os.kill(os.getpid(), signal.SIGTERM)).start()
    while not stop.wait(0):
        pass
print("ended")
"""


def test_a_signal_is_heard_at_whatever_moment_it_comes() -> None:
    out = subprocess.run(
        [sys.executable, "-c", SIGNALS], capture_output=True, text=True, timeout=60, check=True
    )
    assert out.stdout == "ended\n", out.stderr
