"""A table as Markdown, HTML and LaTeX."""

from __future__ import annotations

import html
import itertools
from collections.abc import Iterable

from inferometer.tables.model import Table, TableCell
from inferometer.tables.palette import colour
from inferometer.tables.text import MARKS, footnotes, legend, mark_of

_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
        "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
        "±": r"$\pm$", "µ": r"\textmu{}", "≈": r"$\approx$", "▲": r"$\blacktriangle$", "★": r"$\bigstar$",
    }
)  # fmt: skip


def to_markdown(table: Table, *, intervals: bool = True) -> str:
    """Return a GitHub-flavoured Markdown table with its legend and footnotes."""
    lines = [f"**{markdown_text(table.title)}**", ""]
    titles = ["batch size", "framework", *map(markdown_text, table.machines)]
    rows = [
        [str(row.batch_size), markdown_text(row.label), *(_md_cell(cell, intervals) for cell in row.cells)]
        for row in table.rows
    ]
    lines += markdown_table(titles, rows, "rl" + "r" * len(table.machines))
    lines += ["", *(f"{markdown_text(line)}  " for line in legend(table, MARKS, intervals))]
    lines += [f"{markdown_text(note)}  " for note in footnotes(table)]
    return "\n".join(lines).rstrip() + "\n"


def _md_cell(cell: TableCell | None, intervals: bool) -> str:
    if cell is None:
        return ""
    note = f" [{cell.note}]" if cell.note else ""
    if cell.estimate is None:
        return f"*{markdown_text(cell.text)}*{note}"
    number = f"**{cell.text}**" if cell.best_overall else cell.text
    star = r"\*" if cell.beats_reference else ""
    tail = f" {cell.spread}" if intervals and cell.spread else ""
    return f"{star}{number}{tail}{note} {mark_of(cell, MARKS).strip()}".rstrip()


def markdown_table(titles: Iterable[str], rows: Iterable[Iterable[str]], alignment: str) -> list[str]:
    """Return the lines of a table whose texts are Markdown; ``alignment``: "l" or "r" for each column."""
    rule = "".join("---:|" if side == "r" else "---|" for side in alignment)
    head, *body = (f"| {' | '.join(texts)} |" for texts in (titles, *rows))
    return [head, f"|{rule}", *body]


def markdown_text(text: str) -> str:
    """Return ``text`` in one line so that Markdown, and the HTML in it, shows it literally."""
    flat = " ".join(html.escape(text, quote=False).split())
    for sign in "\\`*_|[]":
        flat = flat.replace(sign, "\\" + sign)
    return flat


def to_html(table: Table, *, palette: str = "study", intervals: bool = True) -> str:
    """Return a self-contained <table> fragment: colours inline, marks with words for screen readers."""
    head = "".join(f'<th scope="col">{html.escape(machine)}</th>' for machine in table.machines)
    body, previous = [], None
    sizes = [row.batch_size for row in table.rows]
    for row in table.rows:
        start = ""
        if row.batch_size != previous:
            start = f'<th scope="rowgroup" rowspan="{sizes.count(row.batch_size)}">{row.batch_size}</th>'
            previous = row.batch_size
        cells = "".join(_html_cell(cell, palette, intervals) for cell in row.cells)
        body.append(f'<tr>{start}<th scope="row">{html.escape(row.label)}</th>{cells}</tr>')
    notes = [*legend(table, MARKS, intervals), *footnotes(table)]
    footer = "".join(f"<p>{html.escape(line)}</p>" for line in notes)
    return (
        f"<table>\n<caption>{html.escape(table.title)}</caption>\n"
        f'<thead><tr><th scope="col">Batch size</th><th scope="col">Framework</th>{head}</tr></thead>\n'
        "<tbody>\n" + "\n".join(body) + f"\n</tbody>\n</table>\n{footer}\n"
    )


def _html_cell(cell: TableCell | None, palette: str, intervals: bool) -> str:
    if cell is None:
        return "<td></td>"
    note = f" <sup>[{cell.note}]</sup>" if cell.note else ""
    if cell.estimate is None:
        return f"<td><em>{html.escape(cell.text)}</em>{note}</td>"
    number = html.escape(cell.text)
    number = f"<b>{number}</b>" if cell.best_overall else number
    star = "*" if cell.beats_reference else ""
    tail = f" <small>{html.escape(cell.spread)}</small>" if intervals and cell.spread else ""
    mark = mark_of(cell, MARKS).strip()
    words = {"★": "best of the machine", "▲": "best of its batch size", "≈": "tie with the best"}
    sign = f' <span title="{words[mark]}" aria-label="{words[mark]}">{mark}</span>' if mark else ""
    style = f"{_css(cell.shade, palette)}text-align:right"
    return f'<td style="{style}">{star}{number}{tail}{note}{sign}</td>'


def _css(shade: float | None, palette: str) -> str:
    if shade is None:
        return ""
    found = colour(shade, palette)
    return f"background:{found.background_hex};color:{found.text_hex};"


def to_latex(table: Table, *, palette: str = "study", intervals: bool = True) -> str:
    """Return a table for LaTeX with the packages booktabs, longtable, amssymb, textcomp and xcolor (option table).

    It goes on over pages, which break between batch sizes.
    """
    heads = " & ".join(["Batch size", "Framework", *(_tex(m) for m in table.machines)])
    lines = [
        "% needs \\usepackage{booktabs,longtable,amssymb,textcomp} and \\usepackage[table]{xcolor}",
        r"\begin{longtable}{rl" + "r" * len(table.machines) + "}", rf"\caption{{{_tex(table.title)}}} \\",
        r"\toprule", rf"{heads} \\", r"\midrule", r"\endfirsthead",
        r"\toprule", rf"{heads} \\", r"\midrule", r"\endhead", r"\bottomrule", r"\endfoot",
    ]  # fmt: skip
    groups = [list(rows) for _, rows in itertools.groupby(table.rows, key=lambda row: row.batch_size)]
    for number, rows in enumerate(groups):
        lines += [r"\midrule"] if number else []
        sizes = [str(rows[0].batch_size), *[""] * (len(rows) - 1)]
        ends = [*[r"\\*"] * (len(rows) - 1), r"\\"]
        for row, size, end in zip(rows, sizes, ends, strict=True):
            cells = [_tex_cell(cell, palette, intervals) for cell in row.cells]
            lines.append(" & ".join([size, _tex(row.label), *cells]) + f" {end}")
    lines.append(r"\end{longtable}")
    notes = [*legend(table, MARKS, intervals), *footnotes(table)]
    lines += [rf"{{\footnotesize\noindent {_tex(note)}\par}}" for note in notes]
    return "\n".join(lines) + "\n"


def _tex_cell(cell: TableCell | None, palette: str, intervals: bool) -> str:
    if cell is None:
        return ""
    note = rf"\textsuperscript{{[{cell.note}]}}" if cell.note else ""
    if cell.estimate is None:
        return rf"\textit{{{_tex(cell.text)}}}{note}"
    number = rf"\textbf{{{cell.text}}}" if cell.best_overall else cell.text
    star = "*" if cell.beats_reference else ""
    tail = f" {_tex(cell.spread)}" if intervals and cell.spread else ""
    text = f"{star}{number}{tail}{note} {_tex(mark_of(cell, MARKS).strip())}".rstrip()
    if cell.shade is None:
        return text
    found = colour(cell.shade, palette)
    fill = rf"\cellcolor[HTML]{{{found.background_hex[1:].upper()}}}"
    ink = rf"\textcolor[HTML]{{{found.text_hex[1:].upper()}}}"
    return f"{fill}{ink}{{{text}}}"


def _tex(text: str) -> str:
    return " ".join(text.split()).translate(_LATEX)
