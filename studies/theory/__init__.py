"""The two-layer theory: measurements, tables and pictures of ``docs/explanation``."""
