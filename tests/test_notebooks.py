"""The notebooks of the docs: valid, without outputs, and (slow) executed in a kernel."""

import re
from collections import Counter
from pathlib import Path

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager

import learnorder

DOCS = Path(__file__).parents[1] / "docs"
NOTEBOOKS = sorted((DOCS / "notebooks").glob("*.ipynb"))
FENCED = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FIGURE = "application/vnd.plotly.v1+json"


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def code_of(notebook):
    """Return the code of all cells, and of the exercises in the texts."""
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    return cells, [code for text in texts for code in FENCED.findall(text)]


def test_there_are_three_and_the_docs_list_them():
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    assert [path.stem for path in NOTEBOOKS] == ["effect", "own_model", "theory"]
    assert all(f"\nnotebooks/{path.stem}\n" in index for path in NOTEBOOKS)


def test_they_are_valid_and_without_outputs(notebook):
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
    assert set(notebook.metadata) == {"kernelspec", "language_info"}


def test_their_code_compiles_and_uses_public_names(notebook):
    cells, exercises = code_of(notebook)
    for code in cells + exercises:
        compile(TransformerManager().transform_cell(code), "cell", "exec")
        used = re.findall(r"\blearnorder\.(\w+)", code)
        assert set(used) <= set(learnorder.__all__)


def test_they_install_only_what_is_missing(notebook):
    cells, _ = code_of(notebook)
    first, others = cells[0], cells[1:]
    assert first.index('find_spec("learnorder") is None') < first.index("%pip install")
    assert not any("pip" in cell for cell in others)


def test_answers_are_hidden(notebook):
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    asked = [text for text in texts if "**Question.**" in text]
    assert len(asked) >= 3
    for text in texts:
        assert text.count("<details>") == text.count("</details>") == text.count("<summary>")
    assert all("<details>" in text for text in asked)


@pytest.mark.slow
def test_they_run_and_show_figures_and_results(notebook, tmp_path, monkeypatch):
    from nbclient import NotebookClient

    monkeypatch.delenv("PLOTLY_RENDERER", raising=False)
    name = notebook.cells[0].id.rpartition("-")[0]
    ran = NotebookClient(
        notebook, timeout=1200, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()  # raises an error if a cell does
    shown, printed = Counter[str](), list[str]()
    for cell in ran.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "stream":
                printed += [output.text] if output.name == "stdout" else []
                assert output.name == "stdout" or "TqdmWarning" in output.text, output.text
            else:
                shown.update(output.data.keys())
    assert "".join(printed).count("\n") <= 10  # no progress
    expected = {"effect": (4, 1), "own-model": (1, 4), "theory": (5, 1)}
    figures, tables = expected[name]
    assert shown[FIGURE] == figures
    assert shown["text/html"] == tables
    assert shown["image/png"] == (name == "effect")
    pages = {"effect": 1, "own-model": 3, "theory": 2}
    assert len(list(tmp_path.glob("runs/*/report.html"))) == pages[name]
