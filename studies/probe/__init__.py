"""Networks of several kinds, probed: ``docs/probes.md``."""
