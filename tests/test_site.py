"""The checks of the built documentation find what they look for."""

import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture
def site_tools(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    monkeypatch.syspath_prepend(str(DOCS / "_extensions"))
    import check_site
    import listing

    yield check_site, listing
    for name in ("check_site", "listing"):
        sys.modules.pop(name)


def built(folder, pages):
    for name, body in pages.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"<html><body>{body}</body></html>", encoding="utf-8")
    return folder


def documented(listing):
    paths = set(listing.pages_of(listing.public_names()).values())
    return {f"reference/generated/{path}.html": f'<dt id="{path}"></dt>' for path in paths}


def test_a_site_whose_links_lead_somewhere_has_no_faults(site_tools, tmp_path):
    check_site, listing = site_tools
    pages = {"index.html": '<h1 id="top"></h1><a href="#top"></a><a href="guide/"></a><a href="https://example.org/x"></a>'}
    pages |= {"guide/index.html": '<a href="../index.html#top"></a><img src="data:image/png;base64,AA">'}
    assert list(check_site.faults(built(tmp_path, pages | documented(listing)))) == []


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ('<a href="gone.html"></a>', "index.html points to gone.html, which does not exist."),
        ('<a href="#gone"></a>', "index.html points to #gone, and that page has no such anchor."),
        ('<script src="https://example.org/x.js"></script>', "index.html loads https://example.org/x.js from the network."),
        ('<link rel="stylesheet" href="gone.css">', "index.html points to gone.css, which does not exist."),
    ],
)
def test_a_fault_of_a_page_is_found(body, fault, site_tools, tmp_path):
    check_site, listing = site_tools
    assert list(check_site.faults(built(tmp_path, {"index.html": body} | documented(listing)))) == [fault]


def test_a_public_name_without_a_page_is_found(site_tools, tmp_path):
    check_site, listing = site_tools
    pages = documented(listing)
    del pages["reference/generated/tutelage.SoftTree.html"]
    pages["reference/generated/tutelage.training.Fit.html"] = "an empty page"
    found = list(check_site.faults(built(tmp_path, pages)))
    assert [sentence.partition(" ")[0] for sentence in found] == ["tutelage.SoftTree", "tutelage.training.Fit"]


def test_a_name_of_two_namespaces_has_one_page(site_tools):
    _, listing = site_tools
    pages = listing.pages_of(listing.public_names())
    assert pages["tutelage.training.TorchStudent"] == pages["tutelage.TorchStudent"] == "tutelage.TorchStudent"
    assert pages["tutelage.losses.functional.hint"] != pages["tutelage.losses.hint"]


@pytest.mark.parametrize(
    ("link", "page", "expected"),
    [
        ("[objectives](docs/objectives.md)", "development/changelog.md", "[objectives](../objectives.md)"),
        ("[how](CONTRIBUTING.md#set-up)", "development/architecture.md", "[how](contributing.md#set-up)"),
        ("[paper](https://arxiv.org/abs/1503.02531)", "experiments.md", "[paper](https://arxiv.org/abs/1503.02531)"),
        ("[examples/](examples)", "experiments.md", "examples/ (`examples`)"),
        ("[SECURITY.md](SECURITY.md)", "development/contributing.md", "SECURITY.md"),
    ],
)
def test_links_of_a_copied_page_lead_to_the_same_places(link, page, expected, monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS / "_extensions"))
    from root_pages import rewritten

    assert rewritten(f"See {link}.", page) == f"See {expected}."


def test_an_example_is_shown_under_its_first_line(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS / "_extensions"))
    from staged_examples import titled

    shown = titled('"""Distil a booster: python x.py [FILE]\n\nMore of it.\n"""\n', "x.py")
    assert shown == '"""\nDistil a booster\n================\n\nMore of it.\n\nRun it with ``python x.py [FILE]``.\n"""\n'
    with pytest.raises(ValueError, match=r"x\.py does not begin with"):
        titled('"""Distil a booster."""\n', "x.py")


@pytest.mark.parametrize("path", sorted((DOCS.parent / "examples").glob("*.py")), ids=lambda path: path.name)
def test_every_example_begins_with_what_it_does(path, monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS / "_extensions"))
    from staged_examples import titled

    assert titled(path.read_text(encoding="utf-8"), path.name).splitlines()[2].startswith("===")
