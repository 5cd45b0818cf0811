"""Mark the censored orders in the sweeps of ``results/carry``, made before epochs were kept.

``python -m studies.carry.censored`` adds the column ``first_bound`` to each file. Their ``first``
is log10 of the epoch of the pattern over that of the content, in which what is never learned had
been given the epoch after the last, E + 1. Which rows that concerns follows from the number itself:
with E = 60, E + 1 is a prime, so a ratio with 61 in it has no other form. With E = 24 five of 48
rows have two forms; there the bound alone is kept, which is true of both.
"""

from __future__ import annotations

import csv
import math

from studies.common import RESULTS

EPOCHS = {"digits_plane": 60, "digits_batch": 60, "digits_anneal": 60, "cifar_plane": 24}


def bound(first: str, epochs: int) -> str:
    """Return what a recorded order is: low or high bound, both open, or measured (empty).

    >>> bound("1.3082", 60), bound("-1.0086", 60), bound("", 60)
    ('low', '', 'both')
    """
    if not first:
        return "both"
    never, known = epochs + 1, range(1, epochs + 1)
    forms = {f"{math.log10(never / b):.5g}": "low" for b in known}
    forms |= {f"{math.log10(a / never):.5g}": "high" for a in known}
    return forms.get(first, "")


def main() -> None:
    """Rewrite the files."""
    for name, epochs in EPOCHS.items():
        path = RESULTS / "carry" / f"{name}.csv"
        with path.open() as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            row["first_bound"] = bound(row["first"], epochs)
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
