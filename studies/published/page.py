"""Ours beside the numbers of the published code, for ``docs/results.md``."""

from __future__ import annotations

from typing import Any

import learnorder
from studies.common import markdown


def comparison(found: dict[str, Any]) -> str:
    """Return the published code's numbers beside what ours is built for, in Markdown."""
    patch, network = found["patch"], found["network"]
    groups = patch["groups"]
    total = sum(groups.values())
    shares = " / ".join(f"{100 * groups[n] / total:.1f}" for n in ("clean", "patch_only", "both"))
    furthest = max(v["largest_difference"] for n, v in network.items() if n.startswith("wrn"))
    ours = learnorder.recipe("paper")
    e, p = ours.patch.eligible_share, ours.patch.patch_only_share
    here = " / ".join(f"{100 * share:.0f}" for share in (1 - e, e * p, e * (1 - p)))
    first = (32 - ours.patch.size) // 2
    level = network["noise"]["level"]
    lines = [
        ("accesses clean / pattern alone / both, %", f"{shares} of {total:,}", here),
        ("the same images carry the patch", _yes(patch["eligible_are_the_same"]), "yes"),
        (
            "rows of the patch",
            f"{patch['first_row']} to {patch['last_row']}",
            f"{first} to {first + ours.patch.size - 1}",
        ),
        ("z, standard deviation", f"{patch['z_std']:.3f} (100 patterns)", f"{ours.patch.z_scale}"),
        ("maps of noise a step", str(len(network["noise"]["draws"])), "one at each of 13 ReLUs"),
        ("noise, standard deviation", f"{network['noise']['std']:.4f}", f"{level}"),
        ("logits on the same weights, largest difference", f"{furthest:.1g}", "–"),
    ]
    return markdown(["what", "published code, measured", "here, as set"], lines)


def _yes(value: bool) -> str:
    return "yes" if value else "no"
