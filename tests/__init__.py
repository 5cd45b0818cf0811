"""Tests; two processes of them have a core each, so threads that wait for others sleep."""

import os

from learnorder.execution.machine import SLEEPING_THREADS, unless_set

os.environ.update(unless_set(SLEEPING_THREADS))  # read when torch is imported
