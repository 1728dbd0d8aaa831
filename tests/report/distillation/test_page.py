import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from tutelage.report.distillation.figures import ShownRow
from tutelage.report.distillation.page import render_distillation

KINDS = ["binary", "values", "no truth", "twenty classes", "sixty classes", "labels", "limits not met", "nothing measured", "cascade"]
KINDS += ["cascade not attained"]


class Page(HTMLParser):
    """The elements of a page: that each is closed, its headings, its texts, and the addresses that it loads."""

    VOID = ("meta", "br", "img", "input", "hr", "link")

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.texts, self.loaded, self.ids = [], [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.loaded += [value for name, value in attrs if name in ("src", "href", "xlink:href", "srcset", "action")]
        self.ids += [value for name, value in attrs if name == "id"]
        assert not [name for name, _ in attrs if name.startswith("on")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip() and self.open[-1] not in ("style", "script"):
            self.texts.append(" ".join(data.split()))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_one_whole_page_that_loads_nothing(every_kind, kind):
    text = render_distillation(*every_kind[kind])
    page = Page(text)
    assert "script" not in page.tags
    assert not {"link", "iframe", "object", "embed", "form"} & set(page.tags)
    assert all(address.startswith("data:image/png;base64,") for address in page.loaded)
    assert not re.findall(r"https?://|url\(|@import", text)
    assert len(page.ids) == len(set(page.ids))
    assert len(text) < 1_000_000


@pytest.mark.parametrize("kind", KINDS)
def test_the_answer_comes_first(every_kind, kind):
    record, figures = every_kind[kind]
    texts = Page(render_distillation(record, figures)).texts
    assert record.answer in texts[:5]
    assert texts.index(record.answer) < min((place for place, text in enumerate(texts) if text == "Arms"), default=0)


def test_every_figure_of_the_page_is_that_of_the_record(binary, figures):
    texts = Page(render_distillation(binary, figures)).texts
    for arm in binary.arms:
        assert f"{100 * arm.mean('accuracy'):.1f} %" in texts
        assert f"{100 * arm.interval.low:.1f} to {100 * arm.interval.high:.1f}" in texts
        assert f"{100 * arm.mean('accuracy', 'validation'):.1f} %" in texts
    expected = {
        *("2.5 kB", "3.1 kB", "4 kB", "14.5 MB", "45 µs", "44 µs", "156 ms", "39.6 µs to 48.4 µs", "95.2 %"),  # costs, fidelity
        *("+2.2 points (+1.1 to +3.3)", "-0.9 points (-2.0 to +0.2)", "beats", "no difference"),  # comparisons
        *("5 kB", "55 µs", "2 points", "48.4 µs", "1.4 points", "4 kB", "met"),  # limits: what is allowed, and what was measured
        *("90", "10", "14", "86", "290", "20", "6.9 %", "310", "9", "2.9 %"),  # confusion, disagreement
        *("tree, the meaning of answers", "max leaf nodes 32, C 0.123", "Does the teacher help?", "3.11.7", "rows.csv"),
        "Distillation of churn & co.pkl",
        *("Column '<id>' is an identifier.", "Drop it.", "1 check found nothing", "3 equal to a test row", "12.0 s", "A note."),
        *("Mlp was left out: texts.", "More rows bring nothing: 0.1 points.", "A larger one.", "helps", "no"),
        'import tutelage as tl tl.open_teacher("student.onnx")',
        "over seeds and test rows, p = 0.034 corrected",
    }
    assert expected - set(texts) == set()
    joined = " ".join(texts)
    for part in (
        "on 29 of 600 test rows (4.8 %). Of these, only the student is right on 12, only the teacher is right on 17.",
        "The expected calibration error is 3.1 % for the student and 5.2 % for the teacher.",
        "validation says 89.4 % and test 89.3 %: 0.1 points worse",
        "corrected for the 3 questions by Holm's procedure",
        "worst difference 1e-09",
        "Each search had 24 trials, shared among the kinds of students",
    ):
        assert part in joined, part


def test_both_widths_have_every_chart_and_narrow_tables_name_their_cells(binary, figures):
    text = render_distillation(binary, figures)
    assert text.count('class="for-wide"') == text.count('class="for-narrow"') == 5
    assert text.count('<table class="stack">') + text.count('<table class="heat"') == text.count("<table")
    for heading in ("Test (95 %)", "Validation", "Agreement with the teacher", "Size", "Latency", "Allowed", "Disagree"):
        assert f'data-label="{heading}"' in text
    assert "prefers-color-scheme: dark" in text


def test_what_is_not_known_is_left_out(every_kind):
    texts = Page(render_distillation(*every_kind["no truth"])).texts
    assert "Confusion" in texts
    assert "Calibration" not in texts
    assert any("No ground truth is known" in text for text in texts)
    texts = Page(render_distillation(*every_kind["nothing measured"])).texts
    assert "No latency was measured." in texts
    assert "Limits" not in texts
    assert "The search" not in texts
    assert "What would help" not in texts


def test_values_have_an_error_and_quantiles(every_kind):
    joined = " ".join(Page(render_distillation(*every_kind["values"])).texts)
    assert "on 50 % of the test rows by at most 1.5, on 100 % of the test rows by at most 9.25" in joined
    assert "standard deviation of 4.5" in joined
    assert "Lower is better" in joined
    assert "2.5" in joined


def test_many_classes_become_a_list_of_mistakes(every_kind):
    texts = Page(render_distillation(*every_kind["sixty classes"])).texts
    assert "The 15 most frequent mistakes among 60 classes." in texts
    assert "45 more with disagreements." in texts
    long = " ".join(Page(render_distillation(*every_kind["twenty classes"])).texts)
    assert "Classes: 1 class 0, 2 class 1," in long


def test_limits_that_are_not_met_are_marked(every_kind):
    texts = Page(render_distillation(*every_kind["limits not met"])).texts
    assert "exceeded" in texts
    assert "7.5 kB" in texts


def test_hostile_texts_are_shown_as_texts(hostile):
    text = render_distillation(*hostile)
    text.encode()  # no half of a character is left
    page = Page(text)
    assert "script" not in page.tags
    assert "b" in page.tags  # tiles and times
    assert "bold" not in page.tags
    assert not set("\u202e\u2066\x1b\x00") & set(text)
    joined = " ".join(page.texts)
    for shown in (
        "</script><script>alert(1)</script>",
        "\"quoted' & <b>bold</b>",
        "\\u202eright to left",
        "emoji 🦜🧪",
        "שלום",
        "half \\ud800",
    ):
        assert shown in joined, shown


def test_rows_are_shown_only_if_asked_for(binary, figures, hostile):
    assert "Rows are not shown" in render_distillation(binary, figures)
    text = render_distillation(*hostile)
    assert "Rows are not shown" not in text
    assert '<img alt="test row 2" src="data:image/png;base64,' in text
    one = replace(figures, shown=(ShownRow(7, "table", {"age": "41"}, "no (80 %)", "yes (60 %)", "", 0.4),))
    texts = Page(render_distillation(binary, one)).texts
    assert {"age", "41", "test row 7", "student: no (80 %)", "teacher: yes (60 %)"} <= set(texts)
    assert not any(text.startswith("truth:") for text in texts)


def test_folders_of_the_users_machine_are_not_shown(binary, figures):
    assert "/models/" not in render_distillation(binary, figures)


def test_rows_that_the_teacher_was_trained_on_are_counted(binary, figures):
    record = replace(binary, rows={**binary.rows, "seen_test": 41, "repeated_test": 17})
    texts = Page(render_distillation(record, figures)).texts
    assert texts[texts.index("test rows that the teacher was trained on") + 1] == "41"
    assert texts[texts.index("test rows that repeat another") + 1] == "17"


def test_a_second_look_is_reported(binary, figures):
    looks = (*binary.looks, replace(binary.looks[0], seeds=10, share=0.25))
    joined = " ".join(Page(render_distillation(replace(binary, looks=looks), figures)).texts)
    assert "and for 2 looks at the test rows" in joined
    assert "10 seeds, 25 % of the false verdicts allowed" in joined


def test_only_a_teacher_that_was_timed_is_said_to_be(binary, figures):
    assert "The teacher was timed in Python." in render_distillation(binary, figures)
    arms = tuple(replace(arm, latency=None) if arm.kind == "teacher" else arm for arm in binary.arms)
    assert "timed in Python" not in render_distillation(replace(binary, arms=arms), figures)


def test_the_transfer_curve_names_its_arm_and_its_rows(binary, figures):
    text = render_distillation(replace(binary, rows={**binary.rows, "more_are": "rows of the pool"}), figures)
    assert "The settings of the arm 'answers, more rows' with more and fewer rows of the pool that the teacher labels;" in text
    assert ">rows of the pool that the teacher labels</text>" in text


def test_ten_words_are_explained(binary, figures):
    texts = Page(render_distillation(binary, figures)).texts
    words = texts[texts.index("Words") + 1 :]
    assert {"teacher", "student", "ground truth", "arm", "temperature", "trial", "seed", "95 % interval", "fidelity"} <= set(words)


def test_what_is_not_known_is_not_called_no(binary, figures):
    record = replace(binary, advice=(replace(binary.advice[0], helps=None),))
    assert "not known" in Page(render_distillation(record, figures)).texts
