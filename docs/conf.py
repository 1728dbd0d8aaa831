"""Sphinx settings of the documentation; `scripts/docs` builds it."""

from __future__ import annotations

import sys
from pathlib import Path

import tutelage

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_extensions"))
from staged_examples import stage_examples  # noqa: E402 - found on the path above

project = "tutelage"
copyright = "the tutelage authors"
release = version = tutelage.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "matplotlib.sphinxext.plot_directive",
    "myst_parser",
    "public_names",
    "root_pages",
]
exclude_patterns = ["_extensions", "_gallery_header.rst"]
nitpicky = True
highlight_language = "none"
default_role = "public"  # `SoftTree` in a docstring links to SoftTree; see _extensions/public_names.py

# Docstrings in Google's style; types stay in the signature.
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_type_aliases = {name: name for name in ("ArrayLike", "Floats", "LoggedKind", "Names", "Optimizer", "Schedule", "Seed", "Columns")}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_attr_annotations = False
napoleon_custom_sections = [("Source", "notes_style")]
python_maximum_signature_line_length = 80
toc_object_entries_show_parents = "hide"
autosummary_generate = False  # public_names writes the pages

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3

examples = HERE.parent / "build" / "gallery"
stage_examples(HERE.parent / "examples", HERE / "_gallery_header.rst", examples)
sphinx_gallery_conf = {
    "examples_dirs": str(examples),
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",
    "ignore_pattern": r"compose_votes\.py",
    "plot_gallery": "False",  # scripts/docs --gallery runs the examples
    "abort_on_example_error": True,
    "write_computation_times": False,
    "show_memory": False,
    "show_signature": False,
    "download_all_examples": False,
    "min_reported_time": 1,
}
suppress_warnings = ["config.cache"]

plot_html_show_source_link = False
plot_html_show_formats = False
plot_formats = [("svg", 100)]
plot_rcparams = {"svg.fonttype": "none", "savefig.transparent": True}

html_theme = "pydata_sphinx_theme"
html_title = "tutelage"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_show_sourcelink = False
html_theme_options = {
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "header_links_before_dropdown": 6,
    "show_nav_level": 1,
    "show_toc_level": 2,
    "secondary_sidebar_items": {"**": ["page-toc"], "index": []},
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = {
    page: [] for page in ("index", "getting-started", "objectives", "experiments", "benchmarks", "glossary", "faq", "limitations")
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
