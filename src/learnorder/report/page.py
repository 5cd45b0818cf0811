"""The HTML page: everything in one file that opens offline and asks nothing of the network."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import jinja2
import plotly.graph_objects as go
import yaml
from markupsafe import Markup
from PIL import Image
from plotly.offline import get_plotlyjs

from learnorder.report.figures import page_figures
from learnorder.report.findings import baseline_arm, findings
from learnorder.report.style import line_styles
from learnorder.report.tables import (
    difference_table,
    final_table,
    order_table,
    run_table,
    share_table,
)
from learnorder.report.titles import MOST_ARMS, arm_titles
from learnorder.results import Results
from learnorder.runs import RunFolder, flatten
from learnorder.runs.files import atomic_write

_TITLES = {
    "patch": "Patch experiment",
    "train": "Training run",
    "sweep": "Sweep",
}


@dataclass(frozen=True)
class _Gallery:
    """Example images as data addresses, row by row."""

    rows: list[tuple[str, list[str]]]
    columns: list[str]


def write_report(results: Results, path: Path | str) -> Path:
    """Write the page of some results; return its path.

    Args:
        results: The runs.
        path: The HTML file.
    """
    path = Path(path)
    page = render(results)
    with atomic_write(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path


def render(results: Results) -> str:
    """Return the page as HTML."""
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("learnorder.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    template = templates.get_template("report.html.j2")
    first = results.folders[0]
    finished = not results.finished.empty
    tables = {}
    if finished:
        tables["final"] = final_table(results)
        if 1 < len(results.arms) <= MOST_ARMS:
            tables["difference"] = difference_table(results, baseline_arm(results))
        tables["order"] = order_table(results)
        if results.has_patch() and len(results.arms) <= MOST_ARMS:
            tables["share"] = share_table(results)
    figures = page_figures(results) if finished else {}
    return template.render(
        title=_title(results),
        asked=_asked(results),
        findings=findings(results),
        most_arms=MOST_ARMS,
        tables=tables,
        runs=run_table(results),
        figures={
            section: [_figure_json(figure, key=section != "curves") for figure in drawn]
            for section, drawn in figures.items()
        },
        legend=_legend(results),
        has_patch=results.has_patch(),
        gallery=_gallery(results.folders),
        shared=_yaml(_shared_settings(results.folders)),
        varied=_varied_settings(results),
        environment=first.manifest.get("environment", {}),
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        style=Markup((_templates() / "style.css").read_text()),
        script=Markup((_templates() / "figures.js").read_text()),
        plotly=Markup(get_plotlyjs()),
    )


def _templates() -> Path:
    return Path(__file__).parent / "templates"


def _title(results: Results) -> str:
    labels = results.folders[0].labels
    title = _TITLES.get(labels.get("experiment", ""), "Runs")
    scale = labels.get("scale")
    return f"{title}, {scale} scale" if scale and scale != "custom" else title


def _asked(results: Results) -> list[tuple[str, str]]:
    """What was asked, as terms and descriptions; what differs between runs is left to a table."""
    folder = results.folders[0]
    config, data = folder.config, folder.manifest.get("data")
    shared = _shared_settings(results.folders)

    def alike(*sections: str) -> bool:
        names = [k for k in flatten(config.to_dict()) if k.startswith(sections)]
        return all(name in shared for name in names)

    images = config.data.source
    if data:
        height, width = data["image_size"]
        images += (
            f": {data['train_examples']:,} images to train on, {data['evaluation_examples']:,} of "
            f"the {config.data.evaluate_on} split to evaluate on, {width}×{height} pixels, "
            f"{data['num_classes']} classes"
        )
    arguments = ", ".join(f"{key} {value}" for key, value in config.model.arguments.items())
    training, patch = config.training, config.patch
    asked = {
        "Images": (alike("data."), images),
        "Network": (
            alike("model."),
            f"{config.model.name} ({arguments})" if arguments else config.model.name,
        ),
        "Training": (
            alike("training."),
            f"{training.epochs} epochs, batch size {training.batch_size}, SGD with "
            f"{'Nesterov ' if training.nesterov else ''}momentum {training.momentum:g}, weight "
            f"decay {training.weight_decay:g}",
        ),
        "Patch": (
            alike("patch."),
            f"{patch.size}×{patch.size} pixels, z ~ {patch.z_scale:g}·N(0, 1), "
            f"ζ ~ U[−{patch.contrast:g}, {patch.contrast:g}] per class; "
            f"{100 * patch.eligible_share:g} % of the images eligible, "
            f"{100 * patch.patch_only_share:g} % of their accesses show the pattern alone",
        ),
    }
    if not results.has_patch():
        del asked["Patch"]
    seeds = sorted({f.config.seed for f in results.folders})
    described = [
        (term, text if same else "differs between the arms") for term, (same, text) in asked.items()
    ]
    return [*described, ("Seeds", ", ".join(map(str, seeds)))]


def _figure_json(figure: go.Figure, *, key: bool) -> Markup:
    """Figure as JSON that can stand inside a script element, with its own key or without."""
    figure.update_layout(showlegend=key)
    text = figure.to_json()
    assert text is not None
    return Markup(text.replace("<", "\\u003c"))


def _legend(results: Results) -> list[tuple[str, str, str]]:
    """The key to all curves: title, colour and SVG dash pattern of each arm."""
    styles = line_styles(results.arms)
    titles = arm_titles(results)
    return [(titles[arm], s.color, s.svg_dashes()) for arm, s in styles.items()]


def _gallery(folders: list[RunFolder]) -> _Gallery | None:
    for folder in folders:
        described, sheet_path = folder.manifest.get("examples"), folder.file("examples.png")
        if not described or not sheet_path.exists():
            continue
        rows, columns = described["rows"], described["columns"]
        sheet = Image.open(sheet_path).convert("RGB")
        width, height = sheet.width // len(columns), sheet.height // len(rows)
        tiles = [
            [
                _data_address(
                    sheet.crop((c * width, r * height, (c + 1) * width, (r + 1) * height))
                )
                for c in range(len(columns))
            ]
            for r in range(len(rows))
        ]
        return _Gallery(list(zip(rows, tiles, strict=True)), columns)
    return None


def _data_address(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _shared_settings(folders: list[RunFolder]) -> dict[str, object]:
    flat = [flatten(folder.config.to_dict()) for folder in folders]
    return {
        key: value
        for key, value in flat[0].items()
        if all(other.get(key) == value for other in flat)
    }


def _varied_settings(results: Results) -> list[tuple[str, list[str]]]:
    """Settings that differ between arms: name, value in each arm."""
    shared = _shared_settings(results.folders)
    first = {results.arm_of(f): flatten(f.config.to_dict()) for f in reversed(results.folders)}
    names = dict.fromkeys(k for arm in results.arms for k in first[arm])
    varied = [k for k in names if k not in shared and k != "seed"]
    return [(k, [_shown(first[arm].get(k)) for arm in results.arms]) for k in varied]


def _shown(value: object) -> str:
    """A setting's value as a reader wants it: nothing is a dash, numbers are short."""
    if value is None or value == []:
        return "–"
    if isinstance(value, list):
        return ", ".join(_shown(item) for item in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _yaml(values: dict[str, object]) -> str:
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, default_flow_style=None)
