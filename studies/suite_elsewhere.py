"""Run the tests as on another machine: other names, clock zone and locale, and busy neighbours.

    python -m studies.suite_elsewhere [--fast] [PYTEST ARGUMENTS]

In a namespace of its own (Linux, as root) the processor and the host have other names; the zone is
fourteen hours ahead of UTC, the locale is C, and two processes keep the cores busy.
``--fast`` leaves the busy ones out. The last line is JSON: exit code, seconds, conditions.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from studies.common import ROOT

CONDITIONS = {"TZ": "Pacific/Kiritimati", "LC_ALL": "C"}
PROCESSOR, HOST = "Another Processor @ 1.00GHz", "another-host"
BUSY = "while True: pass"
INSIDE = 'mount --bind "$0" /proc/cpuinfo && hostname another-host && exec "$@"'


def main() -> int:
    """Run the tests elsewhere; return pytest's exit code."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--fast"]
    busy = 0 if "--fast" in sys.argv[1:] else 2
    tests = [sys.executable, "-m", "pytest", *(arguments or ["-m", "not slow", "-n", "2"])]
    cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    with tempfile.NamedTemporaryFile("w", suffix=".cpuinfo", encoding="utf-8") as other:
        other.write(re.sub(r"(model name\s*:).*", rf"\1 {PROCESSOR}", cpuinfo))
        other.flush()
        inside = ["unshare", "--mount", "--uts", "sh", "-c", INSIDE, other.name, *tests]
        neighbours = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(busy)]
        started = time.monotonic()
        try:
            code = subprocess.run(inside, cwd=ROOT, env={**os.environ, **CONDITIONS}).returncode
        finally:
            for neighbour in neighbours:
                neighbour.kill()
    found = {"exit_code": code, "seconds": round(time.monotonic() - started), "busy": busy}
    print(json.dumps({**found, "processor": PROCESSOR, "host": HOST, **CONDITIONS}))
    return code


if __name__ == "__main__":
    sys.exit(main())
