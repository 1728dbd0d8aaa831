import dataclasses

import pytest

from tutelage.core.errors import BadInput, DamagedFile
from tutelage.core.records import Comparison, Interval, dumps
from tutelage.report.papers import words
from tutelage.report.papers.page import render_paper, with_table, write_pages
from tutelage.report.papers.records import Claim, Curve, Measure, PaperRecord, Point, Series, Source, read_record

RECORD = PaperRecord(
    name="someone2020",
    title="Soft targets on <numbers>",
    summary="What is run again.",
    source=Source("Someone, Other", 2020, "A title", "https://example.org/paper"),
    date="2026-11-30",
    options={"seed": 0, "seeds": 3, "quick": False},
    budget={"epochs": 40},
    protocol=("First this.", "Then that."),
    deviations=("Adam in place of SGD.",),
    data={"training rows": 60_000},
    environment={"torch": "2.13.0", "processors": "2"},
    seconds={"total": 3700.0, "networks": 3600.0},
    measures=(
        Measure("taught", "on soft labels", "test errors", (80.0, 84.0, 88.0), Interval(74.1, 93.9, "seeds and test rows"), 74.0),
        Measure("once", "a single network", "% error", (0.671,), None, None, digits=2),
    ),
    comparisons=(Comparison("taught", "plain", "test errors", -60.4, (-75.2, -45.6), "beats", "Fewer errors?", "seeds and test rows"),),
    claims=(
        Claim("Fewer errors.", "74 against 146", "-60.4", "reproduced", "The rule.", True),
        Claim("The reader's \"speed\" | more < less.", "stated", "+1", "undecided", "Another rule.", False, ours=True),
    ),
    curves=(
        Curve(
            "Errors", "By temperature.", "temperature", "test errors",
            (Series("30 units", "chosen", (Point(1.0, 300.0, 290.0, 310.0), Point(20.0, 340.0))),),
            logarithmic=True, levels={"labels": 296.0},
        ),
    ),
)  # fmt: skip


def written(folder):
    (folder / "records").mkdir()
    (folder / "records" / "someone2020.json").write_text(dumps(RECORD.to_json()))
    return folder / "records"


def test_a_record_is_read_as_it_was_written_and_a_changed_figure_is_seen(tmp_path):
    path = written(tmp_path) / "someone2020.json"
    assert read_record(path) == RECORD
    path.write_text(path.read_text().replace("80.0", "70.0"))
    with pytest.raises(DamagedFile, match="does not match its checksum"):
        read_record(path)


def test_the_page_of_the_documentation_has_their_figure_beside_ours_and_says_what_was_not_decided(tmp_path):
    records = written(tmp_path)
    names = [path.name for path in write_pages(records, tmp_path)]
    assert names == ["index.md", "someone2020-1.svg", "someone2020.md"]
    page = (tmp_path / "someone2020.md").read_text()
    assert "| taught: on soft labels | test errors | 74 | 84 (74 to 94) | 3 |" in page
    assert "| once: a single network | % error | - | 0.67 | 1 |" in page
    assert (
        "**1 of 1 of the paper's claims reproduced. 0 of 1 of our own confirmed, 1 undecided.** 3 seeds, 62 min, 2 processors, 2026-11-30."
        in page
    )
    assert "-60.4 test errors (-75.2 to -45.6), over seeds and test rows | beats" in page
    assert "- Adam in place of SGD." in page
    assert 'The reader\'s "speed" \\| more &lt; less. (ours) Another rule.' in page
    assert "undecided (the mean points the other way)" in page
    assert "![Errors](someone2020-1.svg)" in page
    assert "labels: 296" in (tmp_path / "someone2020-1.svg").read_text()
    assert "[someone2020](someone2020.md)" in (tmp_path / "index.md").read_text()


def test_the_page_of_a_run_is_html_that_loads_nothing_and_escapes_what_it_shows():
    page = render_paper(RECORD)
    assert "Soft targets on &lt;numbers&gt;" in page
    assert "84 (74 to 94)" in page
    assert "A quick run" not in page
    assert "A quick run" in render_paper(dataclasses.replace(RECORD, options={**RECORD.options, "quick": True}))


def test_a_text_gets_the_table_between_its_marks_and_no_claim_of_our_own():
    text = "Before.\n\n<!-- papers -->\nold\n<!-- end of papers -->\n\nAfter.\n"
    own = dataclasses.replace(RECORD, name="own2026", claims=RECORD.claims[1:])
    found = with_table(text, [RECORD, own], "docs/papers")
    assert found.startswith("Before.\n\n<!-- papers -->\n\n| Paper |")
    assert found.endswith("<!-- end of papers -->\n\nAfter.\n")
    assert (
        "| [someone2020](docs/papers/someone2020.md) | Fewer errors. | 74 against 146 | -60.4 | reproduced | 1 of 1 of the paper's claims"
        in found
    )
    assert "own2026" not in found
    assert "old" not in found
    assert with_table(found, [RECORD, own], "docs/papers") == found
    with pytest.raises(BadInput, match="the text has no lines '<!-- papers -->'"):
        with_table("Before.", [RECORD], "docs/papers")


def test_a_difference_between_two_arms_is_shown_with_both_means():
    plain = Measure("plain", "on labels", "test errors", (140.0, 148.0), None)
    claim = dataclasses.replace(RECORD.claims[0], arms=("taught", "plain"))
    record = dataclasses.replace(RECORD, measures=(*RECORD.measures, plain), claims=(claim,))
    assert words.in_brief(record, claim) == "84 against 144 test errors; difference -60.4 (-75.2 to -45.6)"
    assert words.in_brief(record, dataclasses.replace(claim, arms=("taught", "once"))) == claim.measured  # never compared
    assert words.in_brief(RECORD, claim) == claim.measured  # an arm without a measure
    assert words.in_brief(RECORD, RECORD.claims[0]) == "-60.4"


def test_the_points_of_curves_are_folded(tmp_path):
    assert "<details>" not in render_paper(RECORD)
    many = dataclasses.replace(RECORD, measures=RECORD.measures * 10)
    assert render_paper(many).count("<details>") == 1
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "someone2020.json").write_text(dumps(many.to_json()))
    write_pages(tmp_path / "records", tmp_path)
    assert "<summary>All 20 figures</summary>" in (tmp_path / "someone2020.md").read_text()
