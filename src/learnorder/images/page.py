"""The page of runs on images."""

from __future__ import annotations

from learnorder.images.data_table import data_section
from learnorder.images.figures import page_figures
from learnorder.images.findings import baselines, findings
from learnorder.images.sheets import example_images
from learnorder.report.asked import DIFFERS, sections_alike, training_words
from learnorder.report.content import Content, Section, title_of
from learnorder.report.grid import SweepGrid, sweep_rows
from learnorder.report.origin import key, origin
from learnorder.report.tables import (
    difference_table,
    final_table,
    last_layer_table,
    order_table,
    share_table,
)
from learnorder.report.titles import MOST_ARMS
from learnorder.runs.results import Results

_TITLES = {
    "patch": "Patch experiment",
    "plain": "Images as they are",
    "train": "Training run",
    "sweep": "Sweep",
}

CURVES_NOTE = (
    "Mean over seeds; the band, where there are few arms, is the 95 % interval of the mean. "
    "Training accuracy is measured on each batch before its update, with whatever noise the arm "
    "trains with. The axis of the clean images is fitted from the third epoch on."
)
RELIANCE_NOTE = (
    " Reliance is the share of conflict images predicted as the pattern's class, less the share of "
    "the same images without a pattern predicted as that class."
)
GRID_NOTE = (
    "Mean over seeds with 95 % t intervals. Who is learned first: the epoch at which the pattern "
    "alone is at 90 %, over the epoch at which clean images are a quarter of the way from guessing "
    "to perfect (½ and ¾: half and three quarters of it); the median over seeds in a plane, a mark "
    "for each seed in a row. Where one of the two is never "
    "learned only a bound is known: > in a plane, a triangle that points to the true value in a "
    "row. Neither: most seeds learn neither. Open: the bounds leave both orders possible."
)
_SHARPNESS_NOTE = (
    "The largest eigenvalue λ of the Hessian of the mean training loss on a fixed sample, in "
    "evaluation mode, by Lanczos iteration; mean over seeds. Gradient descent at a learning rate η "
    "is stable on a quadratic while η·λ/2 < 1 (with heavy-ball momentum β, while it is below 1 + "
    "β)."
)
GALLERY_NOTE = (
    "One image of each of the first classes, as the first run shows it. Patterns reach beyond the "
    "range of pixels and are clipped here; the network sees them whole."
)


_INTRO = (
    "Most training images carry a patch that tells the class to whoever has memorised it. When "
    "does each arm memorise it, how well does it end on images without it, and does it follow the "
    "patch where the patch contradicts the rest of the image?"
)


def image_content(results: Results) -> Content:
    """Return what the page shows."""
    labels = results.folders[0].labels
    return Content(
        title=title_of(_TITLES.get(labels.get("experiment", ""), "Runs"), labels),
        findings=findings(results),
        asked=asked_of(results),
        intro=_INTRO * results.has_patch(),
        sections=_sections(results),
        origins=[origin(results)],
    )


def _sections(results: Results) -> list[Section]:
    sections, few = [], len(results.arms) <= MOST_ARMS
    if not results.finished.empty:
        figures = page_figures(results)
        table = final_table(results)
        compared = baselines(results)
        swept = results.folders[0].labels.get("experiment") == "sweep"
        if swept and (grid := SweepGrid.of(sweep_rows(results))) is not None:
            sections.append(Section("Over the grid", GRID_NOTE, wide=grid.figures()))
        sections.append(Section(table.title, table=table, wide=figures["final"]))
        if compared and (few or len(set(compared.values())) > 1):
            table = difference_table(results, compared)
            sections.append(Section(table.title, table=table))
        if figures["curves"]:
            note = CURVES_NOTE + RELIANCE_NOTE * results.has_patch()
            sections.append(
                Section("Over the epochs", note, key=key(results), panels=figures["curves"])
            )
        if figures["sharpness"]:
            sections.append(
                Section("Sharpness", _SHARPNESS_NOTE, key=key(results), panels=figures["sharpness"])
            )
        table = order_table(results)
        sections.append(Section(table.title, table=table, wide=figures["order"]))
        if (table := last_layer_table(results)) is not None:
            sections.append(Section(table.title, table=table))
    if (gallery := example_images(results.folders)) is not None:
        shown = few and not results.finished.empty and results.has_patch()
        last = share_table(results) if shown else None
        title = "What the network was shown"
        sections.append(Section(title, GALLERY_NOTE, gallery=gallery, last=last))
    if (section := data_section(results)) is not None:
        sections.append(section)
    return sections


def asked_of(results: Results) -> list[tuple[str, str]]:
    """What was asked, as terms and descriptions; what differs between runs is left to a table."""
    folder = results.folders[0]
    config, data = folder.config, folder.data()
    alike = sections_alike(results.folders)
    images = config.data.source
    if data is not None:
        height, width = data.image_size
        images += (
            f": {data.train_examples:,} images to train on, {data.evaluation_examples:,} of "
            f"the {config.data.evaluate_on} split to evaluate on, {width}×{height} pixels, "
            f"{data.num_classes} classes"
        )
    arguments = ", ".join(f"{key} {value}" for key, value in config.model.arguments.items())
    patch = config.patch
    asked = {
        "Images": ("data" in alike, images),
        "Network": (
            "model" in alike,
            f"{config.model.name} ({arguments})" if arguments else config.model.name,
        ),
        "Training": (
            "training" in alike,
            training_words(config.training),
        ),
        "Patch": (
            "patch" in alike,
            f"{patch.size}×{patch.size} pixels, z ~ {patch.z_scale:g}·N(0, 1), "
            f"ζ ~ U[−{patch.contrast:g}, {patch.contrast:g}] per class; "
            f"{100 * patch.eligible_share:g} % of the images eligible, "
            f"{100 * patch.patch_only_share:g} % of their accesses show the pattern alone",
        ),
    }
    if not results.has_patch():
        del asked["Patch"]
    seeds = sorted({f.config.seed for f in results.folders})
    described = [(term, text if same else DIFFERS) for term, (same, text) in asked.items()]
    return [*described, ("Seeds", ", ".join(map(str, seeds)))]
