"""ES modules as their callers use them: rows of every form, errors, types, pages."""

import functools
import http.server
import json
import re
import shutil
import subprocess
import sys
import threading

import numpy as np
import pandas as pd
import pytest

import tutelage as tl
from tutelage.core.errors import BadInput
from tutelage.exporters.export import export
from tutelage.exporters.program.build import program_of
from tutelage.exporters.subject.subject import subject_of
from tutelage.exporters.targets import javascript
from tutelage.exporters.targets.javascript.module import _FUNCTIONS
from tutelage.exporters.targets.javascript.tables import literal, numbers
from tutelage.exporters.targets.job import Job, Settings
from tutelage.students.columns import with_columns

NODE, TSC = shutil.which("node"), shutil.which("tsc")
CHROMIUM = next((found for found in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if found), None)
needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed")
AWKWARD = ["</script><!--", "__proto__", "line\u2028 \u00e9\U0001f642'\"\\`${x}"]
RANDOM = np.random.default_rng(0)
COUNT = 120
FRAME = pd.DataFrame(
    {
        "age": np.where(RANDOM.random(COUNT) < 0.1, np.nan, RANDOM.normal(40, 10, COUNT).round()),
        AWKWARD[0]: RANDOM.choice([*AWKWARD, "constructor"], COUNT),
        "constructor": RANDOM.random(COUNT) < 0.5,
        "day": pd.to_datetime(RANDOM.integers(0, 10**9, COUNT), unit="s"),
    }
)
CODES = (FRAME["age"].fillna(20) > 40).to_numpy().astype(int) + (FRAME[AWKWARD[0]] == "__proto__").to_numpy()
LABELS = np.array(AWKWARD, dtype=object)[CODES]
X = RANDOM.normal(size=(COUNT, 3))


@pytest.fixture(scope="module")
def student():
    return with_columns(tl.SoftTree(max_leaf_nodes=12, random_state=0), FRAME, scaled=False).fit(FRAME, LABELS)


def files_of(student, rows):
    subject, checked = subject_of(student, rows)
    return javascript.write(Job(subject, checked, program_of(subject, checked), "student", Settings()), ["", "Not compared."])


def run(folder, files, script):
    """What a script prints as JSON that imports the module as `student`."""
    (folder / "student.mjs").write_bytes(files["student.js"])
    (folder / "run.mjs").write_text(f'import * as student from "./student.mjs";\n{script}', encoding="utf-8")
    ran = subprocess.run([NODE, "run.mjs"], cwd=folder, capture_output=True, text=True, check=True)
    return json.loads(ran.stdout)


def test_a_module_stands_in_any_page_and_runs_no_text_as_code(student):
    text = files_of(student, FRAME)["student.js"].decode("ascii")
    assert "</" not in text
    assert "<!--" not in text
    assert not re.search(r"\beval\b|\bFunction\b|\bimport\b|\brequire\b|fetch\(|document|window\.", text)
    assert "Column 'day' takes days since 1970-01-01 in UTC" in text.replace("\n// ", " ")


@needs_node
def test_rows_are_arrays_or_objects_and_gaps_may_be_null_undefined_or_nan(student, tmp_path):
    expected = student.predict_proba(FRAME[:3].assign(age=np.nan))
    days = [(day - pd.Timestamp(0)) / pd.Timedelta(days=1) for day in FRAME["day"][:3]]
    rows = [[None, row[AWKWARD[0]], bool(row["constructor"]), day] for row, day in zip(FRAME[:3].to_dict("records"), days, strict=True)]
    found = run(
        tmp_path,
        files_of(student, FRAME),
        f"""
        const rows = {json.dumps(rows)};
        const named = (row) => Object.fromEntries(student.columns.map((name, i) => [name, row[i]]));
        const forms = [(row) => row, named, (row) => [undefined, ...row.slice(1)], (row) => [NaN, row[1], BigInt(row[2]), row[3]],
          (row) => Object.assign(Object.create(null), named(row))];
        console.log(JSON.stringify([student.classes, forms.map((form) => rows.map((row) => student.predictProba(form(row)))),
          rows.map(student.predict)]));
        """,
    )
    classes, answers, decided = found
    assert classes == student.classes_.tolist()
    assert all(np.allclose(one, expected, atol=1e-15) for one in answers)
    assert decided == student.predict(FRAME[:3].assign(age=np.nan)).tolist()


@needs_node
def test_rows_that_do_not_fit_are_one_sentence(student, tmp_path):
    found = run(
        tmp_path,
        files_of(student, FRAME),
        """
        const wrong = [[1, "a", true], { age: 1 }, { age: 1, __proto__: null }, [1, 2, true, 3], ["40", "a", true, 3],
          null, 5, "text", new Map()];
        console.log(JSON.stringify(wrong.map((row) => {
          try { return student.predict(row); } catch (error) { return `${error.name}: ${error.message}`; }
        })));
        """,
    )
    assert found[0] == "RangeError: the row has 3 cells; expected 4"
    assert found[1] == f"TypeError: the row has no column {AWKWARD[0]}"
    assert found[3] == "TypeError: a cell holds a number; expected a text, or null"
    assert found[4] == "TypeError: a cell holds a string; expected a number, or null"
    assert all(re.match(r"(Type|Range)Error: the row has (no column|1 cells)", each) for each in [found[2], *found[5:]])


@needs_node
def test_numbers_may_be_typed_arrays_and_pictures_nested(tmp_path):
    plain = tl.SoftTree(max_leaf_nodes=4).fit(X, CODES)
    script = """
        const row = [0.5, -0.25, 1.5];
        console.log(JSON.stringify([row, Float64Array.from(row), Float32Array.from(row)].map(student.predictProba)));
        """
    expected = plain.predict_proba([[0.5, -0.25, 1.5]])[0].tolist()
    assert run(tmp_path, files_of(plain, X), script) == [expected] * 3
    network = tl.TorchStudent(_network(), tl.losses.hard_cross_entropy())
    pictures = RANDOM.normal(size=(6, 1, 2, 2)).astype(np.float32)
    network = network.fit(pictures, None, np.array([0, 1] * 3), epochs=1)
    flat = pictures[0].ravel().tolist()
    script = f"""
        const rows = [{pictures[0].tolist()}, {flat}, Float32Array.from({flat}), [[Float32Array.from({flat})]], [1, 2], "text", [["a"]]];
        console.log(JSON.stringify(rows.map((row) => {{
          try {{ return student.predictProba(row); }} catch (error) {{ return error.message; }}
        }})));
        """
    found = run(tmp_path, files_of(network, pictures), script)
    assert np.allclose(found[:4], network.predict_proba(pictures[:1]), atol=1e-6)
    assert found[4] == "the row has 2 numbers; expected 4"
    assert all(message == "a cell holds a string; expected a number, or null" for message in found[5:])


def _network():
    import torch

    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))


@needs_node
def test_a_row_that_the_student_refuses_is_an_error_and_not_a_class(tmp_path):
    plain = tl.SoftLogistic().fit(X, CODES)
    found = run(
        tmp_path,
        files_of(plain, X),
        "try { student.predict([null, 1, 2]); console.log('0'); } catch (error) { console.log(JSON.stringify(error.message)); }",
    )
    assert found == "this row has no answer: a number is missing or too large for the student"


@needs_node
def test_labels_and_values(tmp_path):
    labels = np.column_stack([X[:, 0] > 0, X[:, 1] > 0]).astype(float)
    many = tl.PerLabel(tl.SoftLogistic()).fit(X, labels)
    found = run(tmp_path, files_of(many, X), f"console.log(JSON.stringify({X[:9].tolist()}.map(student.predict)))")
    assert found == many.predict(X[:9]).tolist()
    from sklearn.tree import DecisionTreeRegressor

    values = DecisionTreeRegressor(max_depth=3).fit(X, X[:, :2] * 3)
    files = files_of(values, X)
    found = run(tmp_path, files, f"console.log(JSON.stringify([{X[:9].tolist()}.map(student.predict), Object.keys(student)]))")
    assert found == [values.predict(X[:9]).tolist(), ["columns", "predict"]]
    assert b"predictProba" not in files["student.d.ts"]


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.skipif(TSC is None, reason="tsc is not installed")
def test_types_accept_rows_and_refuse_what_is_none(student, tmp_path):
    files = files_of(student, FRAME)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "caller.ts").write_text(
        f"""
        import {{ classes, columns, predict, predictProba, type Row }} from "./student.js";
        const row: Row = {{ age: null, {json.dumps(AWKWARD[0])}: "a", constructor: true, day: 1.5 }};
        const decided: "__proto__" | (typeof classes)[number] = predict(row);
        const first: "age" = columns[0];
        const shares: number[] = predictProba([40, "a", false, 3n]);
        // @ts-expect-error
        predict({{ age: 40 }});
        // @ts-expect-error
        predict(["a", "a", true, 3]);
        // @ts-expect-error
        predict([40, "a", true]);
        // @ts-expect-error
        const other: "something else" = predict(row);
        export {{ decided, first, shares, other }};
        """,
        encoding="utf-8",
    )
    command = [TSC, "--noEmit", "--strict", "--target", "es2022", "--module", "es2022", "--moduleResolution", "node", "caller.ts"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.stdout == ""
    assert ran.returncode == 0


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_a_page_imports_the_module_and_answers_as_the_student(student, tmp_path):
    (tmp_path / "student.js").write_bytes(files_of(student, FRAME)["student.js"])
    days = ((FRAME["day"] - pd.Timestamp(0)) / pd.Timedelta(days=1)).tolist()
    age = [None if np.isnan(each) else each for each in FRAME["age"]]
    rows = list(zip(age, FRAME[AWKWARD[0]], FRAME["constructor"].tolist(), days, strict=True))
    (tmp_path / "index.html").write_text(
        f"""<!doctype html><pre id="found"></pre><script type="module">
        import {{ predict, predictProba }} from "./student.js";
        const rows = {json.dumps(rows).replace("<", chr(92) + "u003c")};
        document.getElementById("found").textContent = btoa(JSON.stringify([rows.map(predictProba),
          rows.map((row) => predict(row).codePointAt(0))]));
        </script>""",
        encoding="utf-8",
    )
    (tmp_path / "inline.html").write_text(
        f"""<pre id="found"></pre><script type="module">{(tmp_path / "student.js").read_text()}
        document.getElementById("found").textContent = btoa(JSON.stringify(classes.map((name) => name.length)));
        </script>""",
        encoding="latin-1",
    )
    answers, decided = _in_chromium(tmp_path, "index.html")
    assert np.allclose(answers, student.predict_proba(FRAME), atol=1e-15)
    assert decided == [ord(name[0]) for name in student.predict(FRAME)]
    lengths = [len(name.encode("utf-16-le")) // 2 for name in student.classes_]
    assert _in_chromium(tmp_path, "inline.html") == lengths


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


def _in_chromium(folder, page):
    """What a page, served on this machine, writes into its element."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        options = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={folder / 'profile'}",
            "--virtual-time-budget=20000",
        ]
        address = f"http://127.0.0.1:{server.server_port}/{page}"
        ran = subprocess.run([CHROMIUM, *options, "--dump-dom", address], capture_output=True, text=True, check=True, timeout=120)
        server.shutdown()
    import base64

    return json.loads(base64.b64decode(re.search(r'<pre id="found">([^<]+)</pre>', ran.stdout)[1]))


@needs_node
def test_letters_and_lower_case_are_pythons_in_all_of_unicode(tmp_path):
    """Characters that one of the two does not know yet, in its version of Unicode, are left out."""
    script = """
        const known = [], letters = [], lower = [];
        for (let code = 0; code < 0x110000; code++) {
          if (code >= 0xd800 && code < 0xe000) continue;
          const text = String.fromCodePoint(code);
          if (/^\\\\p{Cn}$/u.test(text)) continue;
          known.push(code);
          if (terms(text + text, false, 1, 1).length) letters.push(code);
          if (text.toLowerCase() !== text) lower.push([code, text.toLowerCase()]);
        }
        console.log(JSON.stringify([known, letters, lower]));
        """.replace("\\\\", "\\")
    (tmp_path / "run.mjs").write_text(_FUNCTIONS["terms"] + script, encoding="utf-8")
    ran = subprocess.run([NODE, "run.mjs"], cwd=tmp_path, capture_output=True, text=True, check=True)
    found, letters, lower = json.loads(ran.stdout)
    import unicodedata

    both = {code for code in found if unicodedata.category(chr(code)) != "Cn"}
    assert len(both) > 140_000
    assert {code for code in both if re.fullmatch(r"\w\w", chr(code) * 2)} == both & set(letters)
    ours = {code: chr(code).lower() for code in both if chr(code).lower() != chr(code)}
    assert {code: text for code, text in lower if code in both} == ours


@needs_node
def test_a_sigma_at_the_end_of_a_word_is_pythons(tmp_path):
    words = [
        "\u039f\u03a3",
        "\u03a3",
        "\u039f\u03a3\u0391",
        "\u039f\u03a3.",
        "\u039f\u03a3\u0301",
        "A\u03a3-\u0391",
        "\u0130\u03a3",
        "1\u03a3",
        "a\u00ad\u03a3\u00ad",
    ]
    script = f"console.log(JSON.stringify({json.dumps(words)}.map((word) => word.toLowerCase())));"
    ran = subprocess.run([NODE, "-e", script], capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout) == [word.lower() for word in words]


def test_numbers_are_written_exactly_and_briefly():
    values = [0.1, -0.0, 1e22, 5e-324, 3.0, float("inf"), float("nan"), np.float64(2) ** 60]
    assert numbers(values) == "[0.1, -0, 1e+22, 5e-324, 3, Infinity, NaN, 1.152921504606847e+18]"
    assert numbers(np.arange(100)).startswith('unpack(Int8Array, "AAEC')
    assert literal(True) == "true"
    assert literal(2**53) == "9007199254740992"
    with pytest.raises(BadInput, match=r"9007199254740993 cannot be written in JavaScript"):
        literal(2**53 + 1)


def test_without_node_one_sentence_names_it(monkeypatch, tmp_path):
    plain = tl.SoftTree(max_leaf_nodes=4).fit(X, CODES)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadInput, match=r"node is not installed, .* install Node\.js 18 or newer .*, or pass unproven=True"):
        export(plain, tmp_path / "student.js", check_on=X)
    assert not list(tmp_path.iterdir())
    old = tmp_path / "node"
    old.write_text(f"#!{sys.executable}\nprint('v16.20.1')\n")
    old.chmod(0o755)
    with pytest.raises(BadInput, match=r"node is of version 16\.20\.1"):
        export(plain, tmp_path / "student.js", check_on=X)
    record = export(plain, tmp_path / "student.js", check_on=X, unproven=True)
    assert not record.proven
    assert "Not proven: it was never compared with its student." in (tmp_path / "student.js").read_text()
