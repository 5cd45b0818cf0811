"""Probes of several networks: ``docs/probes.md``."""
