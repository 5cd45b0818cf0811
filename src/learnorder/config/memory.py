"""Memory that is needed, against what is free: refused in words before it is allocated."""

from __future__ import annotations

import psutil


def free_memory() -> int:
    """Return the bytes that a process can take on this machine now."""
    return psutil.virtual_memory().available


def size_words(count: float) -> str:
    """Return a number of bytes in the unit that suits it.

    >>> size_words(812), size_words(2.5e9), size_words(3e15)
    ('812 B', '2.5 GB', '3,000.0 TB')
    """
    count = min(count, 1e300)  # a larger whole number is none of float
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB" if count < 1000 else f"{count / 1000:,.1f} TB"


def beyond_memory(needed: int) -> str:
    """Return how bytes that are needed exceed those that are free; empty where they do not."""
    free = free_memory()
    if needed <= free:
        return ""
    return f"{size_words(needed)} of memory, and {size_words(free)} are free"
