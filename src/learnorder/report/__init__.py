"""Reports."""
from pathlib import Path


def write_report(results, path: Path):
    """Write."""
