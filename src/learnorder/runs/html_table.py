"""HTML as a notebook shows a result: findings and a table, without a page or a figure."""

from __future__ import annotations

import html
from collections.abc import Sequence

from learnorder.runs.plain_text import visible


def html_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], note: str = ""
) -> str:
    """Return a table for ``_repr_html_``; cells are escaped, so names are shown as they are.

    Args:
        title: What it shows.
        columns: Headings.
        rows: Cells, as many as there are columns.
        note: How to read it.

    >>> html_table("Runs", ["arm"], [["a<b"]])
    '<table><caption>Runs</caption>...<td>a&lt;b</td></tr></tbody></table>'
    """

    def row(tag: str, cells: Sequence[object]) -> str:
        return f"<tr>{''.join(f'<{tag}>{_text(cell)}</{tag}>' for cell in cells)}</tr>"

    body = "".join(row("td", cells) for cells in rows)
    below = f"<p>{_text(note)}</p>" if note else ""
    return (
        f"<table><caption>{_text(title)}</caption><thead>{row('th', columns)}</thead>"
        f"<tbody>{body}</tbody></table>{below}"
    )


def html_list(sentences: Sequence[str]) -> str:
    """Return sentences as a list for ``_repr_html_``, escaped as in :func:`html_table`.

    >>> html_list(["a < b."])
    '<ul><li>a &lt; b.</li></ul>'
    """
    return f"<ul>{''.join(f'<li>{_text(sentence)}</li>' for sentence in sentences)}</ul>"


def _text(cell: object) -> str:
    return html.escape(visible(cell))
