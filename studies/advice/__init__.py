"""The advice on learning rates, evaluated against full grids: ``docs/advice.md``."""
