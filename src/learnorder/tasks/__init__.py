"""Runs of tasks: backend, results on pages and in the terminal."""
