"""`tutelage serve`: its options, its token, and what it says of mistakes."""

import pytest

from tutelage.cli.serve import seconds, size


@pytest.mark.parametrize(("text", "number"), [("500kB", 500_000), ("1MB", 1_000_000), ("1.5MB", 1_500_000), ("20", 20), ("20B", 20)])
def test_sizes(text, number):
    assert size(text) == number


@pytest.mark.parametrize(("text", "number"), [("2ms", 0.002), ("0", 0.0), ("0.5s", 0.5), ("100us", 0.0001)])
def test_times(text, number):
    assert seconds(text) == pytest.approx(number)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["gone"], "there is no folder and no file gone; name the folder of a student, or its ONNX file."),
        (["gone", "--max-body", "much"], "the size is 'much'; expected a number of bytes, such as 500kB or 1MB."),
        (["gone", "--max-wait", "2"], "the time is '2'; expected a number and its unit, such as 2ms."),
        (["gone", "--queue", "10"], "--max-rows is 1000 and --queue is 10; expected a queue that holds the rows of one request."),
        (["gone", "--max-wait", "20s"], "--max-wait is 20.0; expected a"),
        (
            ["gone", "--cascade", "t.skops", "--teacher-timeout", "0"],
            "--teacher-timeout is 0.0; expected a finite number above 0",
        ),
        (["gone", "--token-file", "token"], "the token cannot be read from token (No such file or directory)."),
        (["gone", "--cascade", "teacher.skops"], "there is no file teacher.skops; name the teacher's file."),
    ],
)
def test_a_mistake_is_one_sentence(options, sentence, here, user_error):
    assert sentence in user_error("serve", *options)


@pytest.mark.parametrize(
    "given",
    [["--classes", "a,b"], ["--kind", "logits"], ["--trust"], ["--teacher-version", "2"], ["--teacher-timeout", "5s"]],
)
def test_options_of_a_teacher_are_refused_without_one(here, user_error, given):
    assert f"{given[0]} does not apply to a server without --cascade; leave it out." in user_error("serve", "gone", *given)


def test_those_of_a_settings_file_hold_where_there_is_one(here, user_error):
    (here / "tutelage.toml").write_text('[serve]\nteacher-timeout = "5s"\n', encoding="utf-8")
    assert "there is no folder and no file gone" in user_error("serve", "gone")


def test_an_empty_token_is_no_token(here, user_error):
    (here / "token").write_text("\n")
    assert "the token is empty" in user_error("serve", "gone", "--token-file", "token")
