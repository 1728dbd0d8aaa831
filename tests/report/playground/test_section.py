import base64
import hashlib
import json
import re
from dataclasses import replace

import pytest

from tutelage.report.page import render_page
from tutelage.report.playground.records import Playground
from tutelage.report.playground.section import as_function, in_script, section_of

HOSTILE = ("</script><script>alert(1)</script>", "<!-- <script>", "]]>", "\u2028\u202e\ud800", "__proto__")


def test_the_policy_lets_the_script_of_the_page_run_and_no_other(table, record, figures):
    page = render_page(record, figures, table.playground)
    (script,) = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1].replace("&#39;", "'")
    assert f"script-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy.replace("style-src 'unsafe-inline'", "")


def test_the_scripts_of_a_page_hold_nothing_that_ends_them(table, record, figures):
    hostile = replace(table.playground, classes=HOSTILE, examples=tuple(replace(one, name=HOSTILE[0]) for one in table.playground.examples))
    page = render_page(record, figures, hostile)
    assert page.count("<script") == page.count("</script") == 2
    (data,) = re.findall(r'<script type="application/json" id="playground-data">(.*?)</script>', page, flags=re.DOTALL)
    assert "<" not in data
    assert data.isascii()
    assert tuple(json.loads(data)["classes"]) == HOSTILE
    (script,) = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    assert "<!--" not in script


def test_a_page_without_a_playground_runs_no_script(record, figures):
    for playground in (None, Playground.without("It is <large>.")):
        page = render_page(record, figures, playground)
        assert "<script" not in page
        assert "script-src" not in page
    assert "It is &lt;large&gt;." in page
    assert section_of(None).why_not == ""


def test_sizes_are_those_of_the_page(table, record, figures):
    section = section_of(table.playground)
    assert section.size.endswith(" kB")
    added = len(render_page(record, figures, table.playground)) - len(render_page(record, figures))
    assert float(section.size.removesuffix(" kB")) == pytest.approx(added / 1000, rel=0.35)  # the rest is its style sheet
    assert section.student_size in render_page(record, figures, table.playground)


def test_a_module_becomes_a_function_with_all_that_it_exports():
    module = 'export const classes = ["export const x"];\nfunction inner() {}\nexport function predict(row) {\n  return 1;\n}\n'
    text = as_function(module)
    assert text.endswith("return { classes, predict };\n})();\n")
    assert "\nexport" not in text
    assert '["export const x"]' in text


@pytest.mark.parametrize("text", HOSTILE)
def test_json_in_a_script_is_the_same_text(text):
    assert json.loads(in_script([text])) == [text]
    assert "<" not in in_script([text])
