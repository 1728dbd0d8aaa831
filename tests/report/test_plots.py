import re
import xml.etree.ElementTree as ET

import pytest

from tutelage.report.plots import arms_plot, regions_plot, scatter_plot


@pytest.fixture(params=["arms", "regions", "scatter"])
def drawing(request, record, figures):
    """A plot, as a function that draws it."""
    return {
        "arms": lambda: arms_plot(record),
        "regions": lambda: regions_plot(figures.regions[0], name="r0"),
        "scatter": lambda: scatter_plot(figures.scatters[0], name="s0"),
    }[request.param]


def test_a_plot_is_an_svg_element_in_the_colours_of_the_page(drawing):
    svg = drawing()
    assert ET.fromstring(svg).tag.endswith("svg")  # noqa: S314 - our own
    assert not re.search(r"#0[123]0[234]0[345]", svg)
    assert "currentColor" in svg
    assert 'role="img"' in svg.split(">")[0]
    assert "width=" not in svg.split(">")[0]


def test_the_same_record_gives_the_same_plot(drawing):
    assert drawing() == drawing()


def test_text_remains_text_and_names_the_arms_and_axes(record, figures):
    assert all(f">{arm.name}<" in arms_plot(record) for arm in record.arms)
    assert all(f">{name}<" in scatter_plot(figures.scatters[0], name="s") for name in ("tree", "line", "third", "measured", "predicted"))


def test_ids_of_two_plots_are_distinct_and_every_reference_is_resolved(figures):
    first, second = (regions_plot(figures.regions[0], name=name) for name in ("r0", "r1"))
    ids = [set(re.findall(r'id="([^"]+)"', svg)) for svg in (first, second)]
    assert not ids[0] & ids[1]
    assert set(re.findall(r'(?:xlink:href="|url\()#([^")]+)', first)) <= ids[0]
