"""Tests; two processes of them have a core each, so threads that wait for others sleep."""

import os

from learnorder.execution.machine import SLEEPING_THREADS

for _name, _value in SLEEPING_THREADS.items():
    os.environ.setdefault(_name, _value)  # read when torch is imported
