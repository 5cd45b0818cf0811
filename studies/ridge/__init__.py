"""Learning rate and weight decay tuned jointly, on full grids: ``docs/how-to/jointly.md``."""
