"""Runs that exist already, judged from a table: ``learnorder advise --from``."""
