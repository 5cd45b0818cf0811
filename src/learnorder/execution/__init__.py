"""Execution of runs: on one machine, on several, or on Ray."""
