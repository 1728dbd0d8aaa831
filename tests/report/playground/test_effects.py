"""What changes the answer, as the script of the page finds it, in Node.js."""

import json
import shutil
import subprocess
from dataclasses import asdict
from importlib.resources import files

import pytest

from tutelage.report.playground.section import as_function

MOST_WORDS = 200
ASK = """
const row = [TEXT], search = wordEffects(row, ask(row).answers);
let step = search.next();
while (!step.done) step = search.next();
console.log(JSON.stringify(step.value));
"""


def word_effects(playground, text):
    folder = files("tutelage.report.playground")
    plain = {name: value for name, value in asdict(playground).items() if name not in ("module", "why_not")}
    document = f"const document = {{ getElementById: () => ({{ textContent: {json.dumps(json.dumps(plain))} }}) }}, window = {{}};\n"
    scripts = "".join(folder.joinpath(f"{name}.js").read_text(encoding="utf-8") for name in ("words", "rows", "effects"))
    program = document + as_function(playground.module) + scripts + ASK.replace("TEXT", json.dumps(text))
    found = subprocess.run(["node", "--input-type=module"], input=program, capture_output=True, text=True, encoding="utf-8", check=True)
    return json.loads(found.stdout)


@pytest.mark.skipif(shutil.which("node") is None, reason="Node.js runs the script")
@pytest.mark.parametrize("more", [0, 70])
def test_a_word_is_left_out_of_the_whole_text(text, more):
    words = ["great", *["plot"] * (MOST_WORDS - 1), *["awful"] * more]
    found = word_effects(text.playground, "  ".join(words))
    assert (len(found["words"]), found["rest"]) == (MOST_WORDS, more)
    for one in (found["found"][0], found["found"][100]):
        others = [word for place, word in enumerate(words) if place != one["place"]]
        assert one["answers"] == pytest.approx(text.student.predict_proba([" ".join(others)])[0].tolist(), abs=1e-9)


@pytest.mark.skipif(shutil.which("node") is None, reason="Node.js runs the script")
@pytest.mark.parametrize(("count", "tried"), [(2000, 200), (20_000, 20), (500_000, 1)])
def test_fewer_words_of_a_very_long_text_are_tried(text, count, tried):
    found = word_effects(text.playground, "plot " * count)
    assert (len(found["words"]), len(found["found"]), found["rest"]) == (tried, tried, count - tried)
