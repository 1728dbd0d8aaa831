"""A paper's run as a page of its own, as a page of the documentation, and in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Group
from rich.table import Table
from rich.text import Text

from tutelage.core.errors import BadInput
from tutelage.core.file_systems.whole_files import write_text
from tutelage.report.papers import words
from tutelage.report.papers.charts import curve_chart, curve_file
from tutelage.report.papers.records import PaperRecord, read_record
from tutelage.report.shell import Drawn, render

STYLES = {"reproduced": "bold green", "not reproduced": "bold red", "undecided": "dim"}
BADGES = {"reproduced": "beats", "not reproduced": "worse", "undecided": "even"}
TABLE, END_OF_TABLE = "<!-- papers -->\n", "<!-- end of papers -->"
"""Between which a text has the table of all papers."""


def render_paper(record: PaperRecord) -> str:
    """The page as HTML text; it loads no external resources.

    Raises:
        MissingExtra: jinja2 is not installed.
    """
    curves = [(curve, Drawn(curve_chart(curve))) for curve in record.curves]
    return render("papers/page.html.j2", title=record.title, record=record, words=words, curves=curves, badges=BADGES)


def paper_table(record: PaperRecord) -> Group:
    """The figures and the claims for the terminal."""
    measures = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    for heading, justify in (("arm", "left"), ("", "left"), ("paper", "right"), ("here (95 %)", "right")):
        measures.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for measure in record.measures:
        measures.add_row(measure.name, measure.unit, words.theirs(measure), words.ours(measure))
    claims = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    for heading in ("claim", "paper", "here", "outcome"):
        claims.add_column(heading)
    for claim in record.claims:
        claims.add_row(claim.statement, claim.published, claim.measured, Text(claim.outcome, style=STYLES[claim.outcome]))
    title = Text(f"{record.title} ({record.source.authors} {record.source.year})", style="bold")
    return Group(title, measures, claims, Text(f"{words.answer(record)} {words.spent(record)} in total.", style="dim"))


def write_pages(records: Path, pages: Path) -> list[Path]:
    """Write the page of every record with its pictures, and the list of all; they are determined by the records.

    Args:
        records: a folder of files that `PaperRecord.to_json` gave, NAME.json each.
        pages: the folder to write NAME.md and NAME-1.svg, ... into.

    Returns:
        The files that were written.

    Raises:
        DamagedFile: a record is damaged. CannotWrite: a page cannot be written.
    """
    found = read_records(records)
    files = {"index.md": render("papers/index.md.j2", title="Papers", records=found, words=words)} if found else {}
    for record in found:
        names = [f"{record.name}-{number}.svg" for number in range(1, len(record.curves) + 1)]
        curves = list(zip(record.curves, names, strict=True))
        files |= {name: curve_file(curve) for curve, name in curves}
        files[f"{record.name}.md"] = render("papers/page.md.j2", title=record.title, record=record, words=words, curves=curves)
    for name, text in files.items():
        write_text(pages / name, text)
    return [pages / name for name in files]


def read_records(folder: Path) -> list[PaperRecord]:
    """The records in a folder, by the years of the papers.

    Raises:
        DamagedFile: one is damaged.
    """
    return sorted((read_record(path) for path in folder.glob("*.json")), key=lambda record: (record.source.year, record.name))


def with_table(text: str, records: Sequence[PaperRecord], pages: str) -> str:
    """A text with the table of the first claim of each paper that is not our own, between its two marks.

    Args:
        text: has the lines `TABLE` and `END_OF_TABLE`.
        records: of the papers.
        pages: where their pages are, as the text refers to them.

    Raises:
        BadInput: a mark is missing.
    """
    if TABLE not in text or END_OF_TABLE not in text.partition(TABLE)[2]:
        raise BadInput(f"the text has no lines {TABLE.strip()!r} and {END_OF_TABLE!r}, between which the table stands.")
    before, _, rest = text.partition(TABLE)
    shown = [record for record in records if not record.claims[0].ours]
    table = render("papers/table.md.j2", title="Papers", records=shown, pages=pages, words=words)
    return f"{before}{TABLE}\n{table}\n{END_OF_TABLE}{rest.partition(END_OF_TABLE)[2]}"
