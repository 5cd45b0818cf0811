"""HTML of a result in a notebook: lists and tables."""

from __future__ import annotations

import html
from collections.abc import Sequence

from learnorder.runs.plain_text import visible


def html_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], note: str = ""
) -> str:
    """Return a table for ``_repr_html_``; all text is escaped. It scrolls where it is too wide.

    Args:
        title: The caption.
        columns: The headings; the first column names the rows.
        rows: The cells of each row, as many as there are columns.
        note: A note below the table.

    >>> html_table("Runs", ["arm", "n"], [["a<b", 3]])
    '<div ...><table><caption>Runs</caption>...<th scope="row">a&lt;b</th><td>3</td></tr>...</div>'
    """
    head = "".join(f'<th scope="col">{_text(name)}</th>' for name in columns)
    body = "".join(_row(*row) for row in rows)
    below = f"<p>{_text(note)}</p>" if note else ""
    return (
        f'<div style="overflow-x: auto"><table><caption>{_text(title)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{below}"
    )


def _row(name: object, *cells: object) -> str:
    data = "".join(f"<td>{_text(cell)}</td>" for cell in cells)
    return f'<tr><th scope="row">{_text(name)}</th>{data}</tr>'


def html_list(sentences: Sequence[str]) -> str:
    """Return sentences as a list for ``_repr_html_``; all text is escaped.

    >>> html_list(["a < b."])
    '<ul><li>a &lt; b.</li></ul>'
    """
    return f"<ul>{''.join(f'<li>{_text(sentence)}</li>' for sentence in sentences)}</ul>"


def _text(cell: object) -> str:
    return html.escape(visible(cell))
