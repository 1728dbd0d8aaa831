import base64
import io
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from tutelage.report.svg import Drawing, Scale, axes, both, png, short

SVG = "{http://www.w3.org/2000/svg}"


def parsed(drawing):
    return ET.fromstring(str(drawing).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))  # noqa: S314 - our own


def test_text_and_titles_are_escaped():
    hostile = "</text><script>alert('1')</script>\u202e\ud800"
    drawing = Drawing(10, 10, hostile)
    drawing.text(1, 2, hostile, "name")
    drawing.mark(1, 2, 3, "teacher", hostile)
    assert "<script" not in str(drawing)
    assert "\u202e" not in str(drawing)
    str(drawing).encode()
    found = parsed(drawing)
    assert found.find(f"{SVG}text").text.startswith("</text><script>")
    assert found.find(f"{SVG}polygon/{SVG}title").text.startswith("</text><script>")


@pytest.mark.parametrize(
    ("kind", "element"), [("chosen", "circle"), ("student", "circle"), ("baseline area", "polygon"), ("teacher", "polygon")]
)
def test_kinds_of_arms_have_marks_of_their_own(kind, element):
    drawing = Drawing(10, 10, "")
    drawing.mark(5, 5, 2, kind)
    assert parsed(drawing).find(f"{SVG}{element}").get("class") == f"mark {kind}"


def test_a_scale_maps_its_ends_and_has_round_ticks():
    scale = Scale(0, 10, 100, 300)
    assert (scale(0), scale(5), scale(10)) == (100, 200, 300)
    assert scale.ticks(5) == [0, 2, 4, 6, 8, 10]
    decades = Scale(1, 1000, 0, 300, logarithmic=True)
    assert [decades(value) for value in (1, 10, 100)] == pytest.approx([0, 100, 200])
    assert decades.ticks(4) == [1, 10, 100, 1000]


SPANS = [[5.0], [5.0, 5.0], [1e-9, 1e9], [12.0, 12.4], [8790.0, 8880.0]]


@pytest.mark.parametrize(
    ("values", "logarithmic"), [*((span, True) for span in SPANS), *((span, False) for span in [*SPANS, [0.0], [-3.0, 7.0]])]
)
def test_a_scale_over_values_holds_them_all_and_has_ticks(values, logarithmic):
    scale = Scale.over(values, 10, 110, logarithmic=logarithmic)
    assert all(10 <= scale(value) <= 110 for value in values)
    ticks = scale.ticks(5)
    assert 1 <= len(ticks) <= 12
    assert all(9.99 <= scale(tick) <= 110.01 for tick in ticks)


def test_axes_write_every_tick_and_both_names():
    drawing = Drawing(300, 200, "")
    axes(drawing, Scale(0, 10, 40, 290), Scale(0, 1, 160, 20), x_name="time", y_name="share")
    texts = [text.text for text in parsed(drawing).iter(f"{SVG}text")]
    assert {"time", "share", "0", "10", "0.2", "1"} <= set(texts)


def test_a_chart_is_drawn_for_both_widths():
    chart = both(lambda width: Drawing(width, 10, "label"))
    assert 'class="for-wide"><svg viewBox="0 0 720 10"' in chart
    assert 'class="for-narrow"><svg viewBox="0 0 360 10"' in chart


@pytest.mark.parametrize("shape", [(3, 5), (4, 2, 3)])
def test_a_picture_becomes_a_png_of_the_same_pixels(shape):
    image = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    address = png(pixels)
    assert address.startswith("data:image/png;base64,")
    read = image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))
    assert np.array_equal(np.asarray(read), pixels)


def test_numbers_have_few_digits():
    assert [short(value) for value in (0.5, 12345.6, 0.123456, -3)] == ["0.5", "12,346", "0.1235", "-3"]
