"""Runs of a user's own training script: execution, reading of scores, results on pages."""
