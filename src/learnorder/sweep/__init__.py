"""The command ``sweep``: a grid of settings on several seeds."""
