"""The comparison with the published code in ``docs/results.md``."""

from __future__ import annotations

from typing import Any

import learnorder
from studies.common import markdown


def comparison(measured: dict[str, Any]) -> str:
    """Return a table of the published code's measured numbers and our settings, in Markdown."""
    patch, network = measured["patch"], measured["network"]
    groups = patch["groups"]
    total = sum(groups.values())
    shares = " / ".join(f"{100 * groups[n] / total:.1f}" for n in ("clean", "patch_only", "both"))
    largest = max(v["largest_difference"] for n, v in network.items() if n.startswith("wrn"))
    ours = learnorder.recipe("paper")
    e, p = ours.patch.eligible_share, ours.patch.patch_only_share
    here = " / ".join(f"{100 * share:.0f}" for share in (1 - e, e * p, e * (1 - p)))
    first = (32 - ours.patch.size) // 2
    level = network["noise"]["level"]
    lines = [
        ("accesses clean / pattern alone / both, %", f"{shares} of {total:,}", here),
        ("the same images get the patch", _yes(patch["eligible_are_the_same"]), "yes"),
        (
            "rows of the patch",
            f"{patch['first_row']} to {patch['last_row']}",
            f"{first} to {first + ours.patch.size - 1}",
        ),
        ("z, standard deviation", f"{patch['z_std']:.3f} (100 patterns)", f"{ours.patch.z_scale}"),
        ("noise maps per step", str(len(network["noise"]["draws"])), "one for each of 13 ReLUs"),
        ("noise, standard deviation", f"{network['noise']['std']:.4f}", f"{level}"),
        ("logits on the same weights, largest difference", f"{largest:.1g}", "–"),
    ]
    return markdown(["quantity", "published code, measured", "here, settings"], lines)


def _yes(value: bool) -> str:
    return "yes" if value else "no"
