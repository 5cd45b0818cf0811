"""Configuration of runs, YAML, and imports of the user's code."""
