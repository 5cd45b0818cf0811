"""Check of the memory needed against the memory available, before it is allocated."""

from __future__ import annotations

import psutil


def available_memory() -> int:
    """Return the bytes of memory that are available on this machine now."""
    return psutil.virtual_memory().available


def size_words(count: float) -> str:
    """Return a number of bytes in a suitable unit.

    >>> size_words(812), size_words(2.5e9), size_words(3e15)
    ('812 B', '2.5 GB', '3,000.0 TB')
    """
    count = min(count, 1e300)  # larger integers overflow a float
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB" if count < 1000 else f"{count / 1000:,.1f} TB"


def beyond_memory(needed: int) -> str:
    """Return a phrase that says what is needed and what is free; empty if it suffices."""
    free = available_memory()
    if needed <= free:
        return ""
    return f"{size_words(needed)} of memory, and {size_words(free)} are free"
