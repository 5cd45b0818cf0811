"""The two-layer theory: tables and pictures of ``docs/explanation``."""
