"""A codec is used by several threads at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]

AT_ONCE = """
import sys, threading
import msgspec
from persistence import Codec

sys.setswitchinterval(1e-6)
for _ in range(100):
    inner = msgspec.defstruct("Inner", [(f"f{n}", int, 0) for n in range(20)])
    many = msgspec.field(default_factory=list)
    middle = msgspec.defstruct("Middle", [(f"g{n}", list[inner], many) for n in range(20)])
    outer = msgspec.defstruct("Outer", [("middle", middle)])
    gate, read = threading.Barrier(4), []

    def decode():
        gate.wait()
        read.append(Codec().decode(b'{"middle": {"g1": [{"f2": 3}]}}', outer).middle.g1[0].f2)

    threads = [threading.Thread(target=decode) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read == [3] * 4, read
"""


def test_threads_may_meet_a_type_for_the_first_time_together() -> None:
    """A runner's writer and its readers decode from different threads; the process outlives it."""
    done = subprocess.run([sys.executable, "-c", AT_ONCE], cwd=ROOT, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
