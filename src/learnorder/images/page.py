"""The page of runs on images."""

from __future__ import annotations

from learnorder.images.data_table import data_section
from learnorder.images.diagnostics import diagnostic_sections
from learnorder.images.figures import in_words, page_figures
from learnorder.images.findings import findings
from learnorder.images.sheets import example_images
from learnorder.report.comparisons import baselines
from learnorder.report.content import Content, Section, picture_first, title_of
from learnorder.report.dynamics import dynamics_sections
from learnorder.report.grid import SweepGrid, sweep_rows
from learnorder.report.groups import arms_by_rate, group_sections
from learnorder.report.origin import key, origin
from learnorder.report.setup import DIFFERS, sections_alike, training_words
from learnorder.report.tables import (
    difference_table,
    final_table,
    last_layer_table,
    order_table,
    share_table,
)
from learnorder.report.titles import MOST_ARMS, MOST_ROWS
from learnorder.runs.results import Results

_TITLES = {
    "patch": "Patch experiment",
    "plain": "Images without a patch",
    "train": "Training run",
    "sweep": "Sweep",
}

CURVES_NOTE = (
    "Means over seeds; bands, drawn if there are few arms, are 95 % intervals of the mean. "
    "Training accuracy is measured on each batch before its update, with the arm's noise. The axis "
    "for clean {noun} is scaled to the epochs from the third."
)
RELIANCE_NOTE = (
    " Reliance is the share of conflict {noun} predicted as the pattern's class, minus the share "
    "of the same {noun} without a pattern predicted as that class."
)
GRID_NOTE = (
    "Means over seeds with 95 % t intervals. Order of learning: the epoch at which accuracy on the "
    "pattern alone reaches 90 %, divided by the epoch at which accuracy on clean {noun} is a "
    "quarter of the way from chance to perfect (½ and ¾: half and three quarters). Heat maps show "
    "the median over seeds, line plots a mark for each seed. If one of the two is never learned, "
    "only a bound is known: > in a heat map, a triangle pointing towards the true value in a line "
    "plot. Neither: most seeds learn neither. Open: the bounds allow both orders."
)
ROWS_NOTE = f"Figures with a row for each arm are drawn for at most {MOST_ROWS} arms."
GALLERY_NOTE = (
    "One image of each of the first classes, as in the first run. Pattern values that exceed the "
    "range of pixels are clipped here, but not for the network."
)


_INTRO = (
    "Most training images contain a patch that identifies the class once it is memorised. When "
    "does each arm memorise it, how accurate is it on images without the patch, and does it follow "
    "the patch if the patch contradicts the rest of the image?"
)


def image_content(results: Results) -> Content:
    """Return the content of the page."""
    labels, groups = results.folders[0].labels, results.groups()
    lead, sections = picture_first(_sections(results))
    if groups:
        of_groups = group_sections(groups, results.arms, arms_by_rate(results))
        lead, sections = of_groups, [*lead, *sections]
    return Content(
        title=title_of(_TITLES.get(labels.get("experiment", ""), "Runs"), labels),
        findings=findings(results),
        lead=lead,
        setup=image_setup(results),
        intro=_INTRO * results.has_patch(),
        sections=sections,
        origins=[origin(results)],
    )


def _sections(results: Results) -> list[Section]:
    sections, few = [], len(results.arms) <= MOST_ARMS
    if results.has_finished:
        figures = page_figures(results)
        table = final_table(results)
        pairs = baselines(results)
        is_sweep = results.folders[0].labels.get("experiment") == "sweep"
        if is_sweep and (grid := SweepGrid.of(sweep_rows(results))) is not None:
            sections.append(
                Section("Over the grid", in_words(GRID_NOTE, results), wide=grid.figures())
            )
        if figures["curves"]:
            note = in_words(CURVES_NOTE + RELIANCE_NOTE * results.has_patch(), results)
            sections.append(
                Section("Over the epochs", note, key=key(results), panels=figures["curves"])
            )
        rows_note = "" if len(results.arms) <= MOST_ROWS else ROWS_NOTE
        sections.append(Section(table.title, rows_note, table=table, wide=figures["final"]))
        if pairs and (few or len(set(pairs.values())) > 1):
            table = difference_table(results, pairs)
            sections.append(Section(table.title, table=table))
        sections += diagnostic_sections(results)
        table = order_table(results)
        sections.append(Section(table.title, rows_note, table=table, wide=figures["order"]))
        if (table := last_layer_table(results)) is not None:
            sections.append(Section(table.title, table=table))
    if (gallery := example_images(results.folders)) is not None:
        has_shares = few and results.has_finished and results.has_patch()
        last = share_table(results) if has_shares else None
        sections.append(Section("Example images", GALLERY_NOTE, gallery=gallery, last=last))
    sections += dynamics_sections(results)
    if (section := data_section(results)) is not None:
        sections.append(section)
    return sections


def image_setup(results: Results) -> list[tuple[str, str]]:
    """Return the setup as terms and descriptions; settings that differ between runs are omitted."""
    folder = results.folders[0]
    config, data = folder.config, folder.data()
    shared = sections_alike(results.folders)
    images = config.data.source
    if data is not None:
        height, width = data.image_size
        images += (
            f": {data.train_examples:,} training images, {data.evaluation_examples:,} evaluation "
            f"images ({config.data.evaluate_on} split), {width}×{height} pixels, "
            f"{data.num_classes} classes"
        )
    arguments = ", ".join(f"{key} {value}" for key, value in config.model.arguments.items())
    patch = config.patch
    setup = {
        "Images": ("data" in shared, images),
        "Network": (
            "model" in shared,
            f"{config.model.name} ({arguments})" if arguments else config.model.name,
        ),
        "Training": ("training" in shared, training_words(config.training)),
        "Patch": (
            "patch" in shared,
            f"{patch.size}×{patch.size} pixels, z ~ {patch.z_scale:g}·N(0, 1), "
            f"ζ ~ U[−{patch.contrast:g}, {patch.contrast:g}] per class; "
            f"{100 * patch.eligible_share:g} % of the images eligible, "
            f"{100 * patch.patch_only_share:g} % of their accesses show the pattern alone",
        ),
    }
    if not results.has_patch():
        del setup["Patch"]
    seeds = sorted({f.config.seed for f in results.folders})
    described = [(term, text if same else DIFFERS) for term, (same, text) in setup.items()]
    return [*described, ("Seeds", ", ".join(map(str, seeds)))]
