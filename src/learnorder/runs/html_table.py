"""HTML of a result in a notebook: lists and tables."""

from __future__ import annotations

import html
from collections.abc import Sequence

from learnorder.runs.plain_text import visible


def html_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], note: str = ""
) -> str:
    """Return a table for ``_repr_html_``; all text is escaped.

    Args:
        title: The caption.
        columns: The headings.
        rows: The cells of each row, as many as there are columns.
        note: A note below the table.

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
    """Return sentences as a list for ``_repr_html_``; all text is escaped.

    >>> html_list(["a < b."])
    '<ul><li>a &lt; b.</li></ul>'
    """
    return f"<ul>{''.join(f'<li>{_text(sentence)}</li>' for sentence in sentences)}</ul>"


def _text(cell: object) -> str:
    return html.escape(visible(cell))
