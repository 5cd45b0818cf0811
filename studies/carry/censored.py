"""Mark the censored orders in the sweeps of ``results/carry``, which do not record epochs.

``python -m studies.carry.censored`` adds the column ``first_bound`` to each file. The column
``first`` is log10(epoch of the pattern / epoch of the content), with epoch E + 1 for what is never
learned. The affected rows follow from the value: with E = 60, E + 1 is prime, so no other ratio
equals one with 61. With E = 24, five of 48 rows are ambiguous; they are marked as bounds, which is
correct in both cases.
"""

from __future__ import annotations

import csv
import math

from studies.common import RESULTS

EPOCHS = {"digits_plane": 60, "digits_batch": 60, "digits_anneal": 60, "cifar_plane": 24}


def bound(first: str, epochs: int) -> str:
    """Return the kind of a recorded order: a low or high bound, both, or measured (empty).

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
