"""Measurements of the paper's published code, compared with this implementation."""
