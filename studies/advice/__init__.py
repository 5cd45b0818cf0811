"""The advice on learning rates, judged by whole grids: ``docs/advice.md``."""
