"""The playground in a real browser: what it shows is what the student answers in Python, and nothing leaves the page."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import tutelage as tl
from tutelage.data.table_file import TableFile
from tutelage.exporters.subject.threshold import with_threshold
from tutelage.report.playground.records import Playground
from tutelage.serving.model import ServedFile
from tutelage.serving.row_format import Requests
from tutelage.students.cascade import Guarantee
from tutelage.students.columns import with_columns
from tutelage.workflow.playground import playground_of

TURNS = np.arange(400)
TOUCH = {"viewport": {"width": 420, "height": 800}, "has_touch": True, "is_mobile": True}
HOSTILE = (
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "\"quoted' & <b>bold</b><img src=x onerror=alert(2)>",
    "\u202eright to left\u2066",
    "__proto__",
    "constructor",
    "x" * 300,
    "שלום ${alert(3)} `alert(4)`",
    "\x1b[2J\x00\u2028",
    "half \ud800",
)


@pytest.mark.exhaustive(every=4)
@pytest.mark.parametrize("kind", ["table", "values", "text", "picture"])
def test_every_kind_is_equal_to_its_student_in_python(request, shown, kind):
    page = shown(request.getfixturevalue(kind).playground)
    assert page.check().startswith("Equal to the Python student on 20 made rows (")
    assert page.complaints == []
    assert len(page.requests) == 1


def spelt(column, cell):
    """A cell of a playground as its page spells it."""
    return str(np.datetime64(int(cell), "D")) if column.spelling == "date" else bool(cell) if column.spelling == "boolean" else cell


@pytest.mark.exhaustive
def test_a_slider_moves_with_the_keyboard(shown, table):
    page = shown(table.playground)
    before = page.row()
    page.check_equal(table)
    slider = page.page.get_by_label("age", exact=True)
    slider.focus()
    for key in ("ArrowRight", "ArrowRight", "PageDown", "Home"):
        slider.press(key)
        page.check_equal(table)
    assert page.row() == before | {"age": table.playground.columns[0].low}
    page.page.keyboard.press("Tab")
    page.page.keyboard.type("99.5")
    assert page.row()["age"] != before["age"]
    page.check_equal(table)


@pytest.mark.exhaustive
def test_menus_switches_and_dates_change_the_row(shown, table):
    page = shown(table.playground)
    for city in ("Bonn", "Oslo", "Rome"):
        page.page.get_by_label("city").select_option(city)
        assert page.row()["city"] == city
        page.check_equal(table)
    page.page.get_by_label("member").select_option("true")
    page.page.get_by_label("since, exactly").fill("2021-02-03")
    assert page.row() | {"member": True, "since": "2021-02-03"} == page.row()
    assert page.row()["member"] is True
    page.page.get_by_label("missing").check()
    assert page.row()["income"] is None
    page.check_equal(table)
    page.page.get_by_label("missing").uncheck()
    assert page.row()["income"] is not None
    page.page.get_by_role("button", name="Start again").click()
    assert page.row() == {column.name: spelt(column, column.start) for column in table.playground.columns}


@pytest.mark.exhaustive
def test_a_row_of_the_page_is_taken_by_a_server_and_from_a_file(shown, tmp_path):
    moments = pd.to_datetime("2020-01-01 12:30") + pd.to_timedelta(TURNS * 12_345, unit="m")
    frame = pd.DataFrame({"when": moments, "took": pd.to_timedelta(TURNS * 7 - 900, unit="h"), "member": TURNS % 3 == 0, "n": TURNS % 7})
    student = with_columns(tl.SoftTree(max_leaf_nodes=30, random_state=0), frame, scaled=False).fit(frame, (TURNS // 40) % 2)
    examples, names = frame.iloc[[3, 100, 250]], ["first", "second", "third"]
    page = shown(playground_of(student, frame, examples=examples, teacher=student.predict_proba(examples), names=names))
    tl.export(student, tmp_path / "student.onnx", check_on=frame)
    served = ServedFile.open(tmp_path / "student.onnx")
    for name, expected in zip([None, *names], [None, *examples.to_dict("records")], strict=True):
        if name is not None:
            page.page.get_by_label("Start from").select_option(name)
        row, shares = page.row(), list(page.shares().values())
        answered = served.answer(Requests(served.rows_as, max_rows=1).row(page.row_as_text().encode())).values[0]
        assert answered.tolist() == pytest.approx(shares, abs=1e-6)
        (tmp_path / "rows.jsonl").write_text(page.row_as_text() + "\n")
        read = TableFile.open(tmp_path / "rows.jsonl", dtype={"took": "duration"}).rows_of(tuple(frame.columns)).part(0, 1)
        assert student.predict_proba(read)[0].tolist() == pytest.approx(shares, abs=1e-12)
        if expected is not None:
            assert (pd.Timestamp(row["when"]).tz_localize(None), pd.Timedelta(row["took"]), row["member"]) == tuple(expected.values())[:3]


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", ["in line", "named", "HW", "CHW", "HWC"])
def test_a_picture_of_the_page_is_taken_by_a_server(shown, tmp_path, kind):
    random = np.random.default_rng(0)
    shape = {"HW": (8, 12), "CHW": (3, 8, 12), "HWC": (8, 12, 3)}.get(kind, (96,))
    rows = random.random((60, *shape))
    rows = pd.DataFrame(rows, columns=[f"p{place}" for place in range(96)]) if kind == "named" else rows
    student = with_columns(tl.SoftLogistic(), rows, scaled=True).fit(rows, random.integers(0, 2, 60))
    page = shown(playground_of(student, rows, picture=(8, 12) if shape == (96,) else None))
    tl.export(student, tmp_path / "student.onnx", check_on=rows)
    served = ServedFile.open(tmp_path / "student.onnx")
    answered = served.answer(Requests(served.rows_as, max_rows=1).row(page.row_as_text().encode())).values[0]
    assert answered.tolist() == pytest.approx(list(page.shares().values()), abs=1e-5)


@pytest.mark.exhaustive
def test_a_recorded_row_with_a_gap_that_training_had_not_can_be_changed(shown, table):
    first, *others = table.playground.examples
    cells = [None, *first.row[1:]]
    page = shown(replace(table.playground, examples=(replace(first, row=cells), *others)))
    page.page.get_by_label("Start from").select_option(first.name)
    assert page.row()["age"] is None
    age = page.page.locator(".field", has=page.page.get_by_label("age", exact=True))
    assert age.get_by_label("missing").is_checked()
    age.get_by_label("missing").uncheck()
    page.page.get_by_label("age, exactly").fill("30")
    assert page.row()["age"] == 30
    page.check_equal(table)


@pytest.mark.exhaustive
def test_a_recorded_row_comes_with_the_answer_of_the_teacher(shown, table):
    page = shown(table.playground)
    assert page.page.locator(".teacher-said").inner_text() == ""
    page.page.get_by_label("Start from").select_option("test row 3")
    example = table.playground.examples[3]
    assert list(page.row().values()) == [spelt(*one) for one in zip(table.playground.columns, example.row, strict=True)]
    page.check_equal(table)
    said = page.page.locator(".teacher-said").inner_text().replace("\u00a0", " ")
    assert f"with probability {100 * max(example.teacher):.1f} %; the truth is {example.truth}." in said
    page.page.get_by_label("age, exactly").fill("30")
    assert page.page.locator(".teacher-said").inner_text() == ""


@pytest.mark.exhaustive
def test_columns_are_ordered_by_what_they_change(shown, table):
    page = shown(table.playground)
    page.settle()
    start, effects = page.row(), {}
    decided = int(table.answers(start).argmax())
    for column in table.playground.columns:
        cells = column.levels or [*np.linspace(column.low, column.high, 25), column.start]
        cells = np.unique(np.rint(cells)) if column.whole else cells
        answers = table.student.predict_proba(table.rows([start | {column.name: spelt(column, cell)} for cell in cells]))[:, decided]
        effects[column.name] = np.ptp(answers)
    found = [one.inner_text() for one in page.page.locator(".effects figcaption strong").all()]
    expected = [name for name, effect in sorted(effects.items(), key=lambda one: -one[1]) if effect > 0]
    assert found == expected
    assert len(found) >= 2


@pytest.mark.exhaustive
def test_a_value_is_shown_as_a_number(shown, values):
    page = shown(values.playground)
    for press in ("End", "Home", "ArrowRight"):
        page.page.get_by_label("column 0", exact=True).press(press)
        assert float(page.page.locator(".decision strong").inner_text()) == pytest.approx(float(values.answers(page.row())), rel=6e-4)
    page.settle()
    assert page.page.locator(".effects figcaption strong").first.inner_text() == "column 0"


def test_a_text_is_answered_as_it_is_typed(shown, text):
    page = shown(text.playground)
    page.check_equal(text)
    box = page.page.locator("textarea")
    box.fill("")
    page.check_equal(text)
    box.press_sequentially("A GREAT plot, awful")
    assert page.row() == "A GREAT plot, awful"
    page.check_equal(text)
    page.settle()
    marks = {one.inner_text(): one.get_attribute("class") for one in page.page.locator(".marked mark").all()}
    decided = page.page.locator(".decision strong").inner_text()
    assert marks["GREAT"] == ("for" if decided == "yes" else "against")
    assert marks["awful"] == ("for" if decided == "no" else "against")
    box.fill("<img src=x onerror=alert(1)> great")
    page.check_equal(text)
    page.settle()
    assert page.dialogs == []
    assert page.page.locator(".marked img").count() == 0


def drawn(page):
    """The middle of the canvas and its size on the screen."""
    canvas = page.page.locator(".ink")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, box["width"]


@pytest.mark.exhaustive
def test_a_stroke_of_the_mouse_is_answered(shown, picture):
    page = shown(picture.playground)
    page.page.get_by_role("button", name="show test row 2").click()
    assert page.row() != [0] * 784
    x, y, size = drawn(page)
    mouse = page.page.mouse
    mouse.move(x - size / 3, y + 7)
    mouse.down()
    mouse.move(x + size / 3, y + 7, steps=8)
    mouse.up()
    row = np.array(page.row()).reshape(28, 28)
    assert row.max() > 0.8
    assert len(np.unique(row)) > 3  # soft edges
    middle = (row.sum(axis=1) @ np.arange(28) / row.sum(), row.sum(axis=0) @ np.arange(28) / row.sum())
    page.check_equal(picture)
    assert page.page.locator(".decision strong").inner_text() == "across"
    if picture.playground.picture.centred:
        assert middle == pytest.approx((13.5, 13.5), abs=0.6)
    page.settle()
    assert page.page.locator(".blocks canvas").count() == 1
    mouse.move(x, y)
    assert np.array_equal(page.row(), row.ravel())  # the pen is up
    page.page.get_by_role("button", name="Clear").click()
    assert np.abs(page.row()).max() == 0
    page.check_equal(picture)


@pytest.mark.exhaustive
def test_a_finger_draws_on_a_narrow_screen(shown, picture):
    page = shown(picture.playground, **TOUCH)
    x, y, size = drawn(page)
    session = page.context.new_cdp_session(page.page)
    before = page.page.evaluate("scrollY")
    points = [(x, y - size / 3 + size * step / 15) for step in range(11)]
    for kind, (left, top) in [("touchStart", points[0]), *(("touchMove", point) for point in points[1:])]:
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": left, "y": top}]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert page.page.evaluate("scrollY") == before
    page.check_equal(picture)
    assert page.page.locator(".decision strong").inner_text() == "down"


@pytest.mark.exhaustive
@pytest.mark.parametrize("shape", [(1, 8, 12), (3, 8, 12), (8, 12, 3)])
@pytest.mark.parametrize("bright", [False, True])
def test_pictures_with_channels_are_drawn_in_each(shown, tried, shape, bright):
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (200, *shape)).astype(float) * (random.random((200, *shape)) < 0.1)
    pictures = 255 - pictures if bright else pictures
    student = with_columns(tl.SoftLogistic(), pictures, scaled=True).fit(pictures, random.integers(0, 3, 200))
    made = playground_of(student, pictures)
    assert made.picture.bright_background == bright
    page = shown(made)
    x, y, size = drawn(page)
    page.page.mouse.move(x - size / 3, y)
    page.page.mouse.down()
    page.page.mouse.move(x + size / 3, y + 20)
    page.page.mouse.up()
    row = np.array(page.row())
    assert row.shape == shape
    colours = np.moveaxis(row, 0, -1) if shape[0] in (1, 3) else row
    assert np.ptp(colours, axis=-1).max() == 0
    ink = 255 - colours[..., 0] if bright else colours[..., 0]
    assert ink[3:5].sum() > 10 * ink[[0, 1, -1]].sum() > -1
    assert ink.max() > 200
    page.check_equal(tried(student, made, lambda given: np.array(given).reshape(len(given), *shape)))


@pytest.mark.exhaustive
def test_the_keyboard_draws(shown, picture):
    page = shown(replace(picture.playground, examples=()))
    assert np.abs(page.row()).max() == 0
    canvas = page.page.locator(".ink")
    canvas.focus()
    for key in ["ArrowUp"] * 8 + [" "] + ["ArrowDown"] * 16 + [" ", "ArrowDown"]:
        canvas.press(key)
    page.check_equal(picture)
    assert page.page.locator(".decision strong").inner_text() == "down"
    canvas.press("Delete")
    assert np.abs(page.row()).max() == 0


@pytest.mark.exhaustive
def test_a_recorded_picture_is_shown_as_it_is(shown, picture):
    page = shown(picture.playground)
    for place in range(3):
        page.page.get_by_role("button", name=f"show test row {place}").click()
        page.check_equal(picture)
        assert f"answer to test row {place}: " in page.page.locator(".teacher-said").inner_text()
        stored = page.page.evaluate("row => atob(row).length", picture.playground.examples[place].row)
        assert stored == 784


@pytest.mark.exhaustive
def test_a_student_that_answers_otherwise_here_cannot_be_tried(shown, table):
    first, *others = table.playground.checks
    wrong = replace(table.playground, checks=(replace(first, answers=first.answers[::-1]), *others))
    page = shown(wrong)
    assert page.check().startswith("The student answers otherwise here than in Python on 1 of 20 made rows (largest difference ")
    assert page.page.locator("#playground .check.failed").count() == 1
    assert page.page.locator(".playground").count() == 0
    failing = replace(
        table.playground, module=table.playground.module.replace("const { numbers, texts } = cells(row);", "throw new Error('no');")
    )
    assert "on 20 of 20 made rows" in shown(failing).check()


@pytest.mark.exhaustive
def test_rows_that_a_cascade_leaves_to_its_teacher_are_said(shown, table):
    confidence = table.student.predict_proba(table.data).max(axis=1)
    ends = [confidence.argmin(), confidence.argmax()]
    guarantee = Guarantee(confidence[ends].mean(), 0.99, 0.05, "teacher", "all", 1000, 500, 1, 1000, "0" * 64)
    rows, names = table.data.iloc[ends], ["least sure", "most sure"]
    cascade = with_threshold(table.student, guarantee)
    page = shown(playground_of(cascade, table.data, examples=rows, teacher=table.student.predict_proba(rows), names=names))
    for name, deferred in zip(names, (True, False), strict=True):
        page.page.get_by_label("Start from").select_option(name)
        assert page.page.locator(".decision .deferred").count() == deferred
        page.check_equal(table)


def test_a_page_without_a_student_says_why(shown):
    page = shown(Playground.without("This student is too large."))
    assert "This student is too large." in page.page.locator("#playground").inner_text()
    assert page.page.locator("script").count() == 0


def test_a_page_is_read_without_scripts(shown, table):
    page = shown(table.playground, java_script_enabled=False)
    assert "needs JavaScript" in page.page.locator("#playground").inner_text()
    assert "Size and latency" in page.page.locator("main").inner_text()


FORBIDDEN = {
    "fetch('https://example.org/?row=1').catch(() => 0)": "connect-src",
    "document.body.append(Object.assign(new Image(), {src: 'https://example.org/x.png'}))": "img-src",
    "document.body.append(Object.assign(document.createElement('iframe'), {src: 'https://example.org/'}))": "frame-src",
    "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.ran = 1'}))": "script-src-elem",
}


def test_the_browser_lets_nothing_out_and_no_other_script_in(shown, table):
    page = shown(table.playground)
    page.page.evaluate("window.refused = []")
    page.page.evaluate("document.addEventListener('securitypolicyviolation', one => refused.push(one.effectiveDirective))")
    for code, directive in FORBIDDEN.items():
        page.page.evaluate(f"() => {{ {code} }}")
        for _ in range(100):  # the policy forbids the page to be asked by a text of code again and again
            if directive in page.page.evaluate("refused"):
                break
            page.page.wait_for_timeout(50)
        assert directive in page.page.evaluate("refused")
    assert page.page.evaluate("window.ran") is None
    assert {why for _, why in page.refused} == {"csp"}
    assert {url for url in page.requests if not url.startswith("file:")} <= {url for url, _ in page.refused}


@pytest.mark.exhaustive
@pytest.mark.parametrize("settings", [TOUCH, {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"}], ids=["narrow", "wide"])
def test_hostile_names_and_many_columns_and_classes(shown, settings, fits):
    random = np.random.default_rng(0)
    names = [*HOSTILE[:9], *(f"column number {place} of many" for place in range(191))]
    frame = pd.DataFrame({name: random.random(300) for name in names})
    frame[HOSTILE[0]] = random.choice(HOSTILE[:8], 300)
    classes = [*HOSTILE[:8], *(f"class {place}" for place in range(92))]
    kinds = np.array(classes, dtype=object)[random.integers(0, 100, 300)]
    student = with_columns(tl.SoftTree(max_leaf_nodes=60, random_state=0), frame, scaled=False).fit(frame, kinds)
    names = [HOSTILE[9], HOSTILE[2]]
    made = playground_of(student, frame, examples=frame[:2], teacher=student.predict_proba(frame[:2]), truth=[HOSTILE[0]] * 2, names=names)
    assert made.why_not == ""
    page = shown(made, **settings)
    assert page.check().startswith("Equal to the Python student on 20 made rows")
    page.page.get_by_label("Start from").select_option("1")
    page.page.get_by_text("184 more columns").click()
    page.settle()
    row = page.row()
    assert list(row) == list(frame.columns)
    assert page.dialogs == []
    assert page.complaints == []
    assert page.page.locator("#playground img, #playground b b").count() == 0
    fits(page.page, scripts=2)


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", ["table", "values", "text", "picture"])
def test_every_kind_fits_narrow_and_wide_screens(request, shown, fits, kind):
    playground = request.getfixturevalue(kind).playground
    for settings in (TOUCH, {"viewport": {"width": 800, "height": 900}}, {}):
        page = shown(playground, **settings)
        page.settle()
        fits(page.page, scripts=2)
