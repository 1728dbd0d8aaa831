import io
import re

import pytest
from rich.console import Console

from tutelage.core.running.progress import DisplayedStages, Pace, progress_bar


def _screen(terminal):
    file = io.StringIO()
    return file, Console(file=file, force_terminal=terminal, width=100)


def _frames(output):
    """The frames of a terminal bar, without control sequences."""
    lines = re.sub(r"\x1b\[[^a-zA-Z]*[a-zA-Z]", "", output).replace("\r", "\n").splitlines()
    return [line for line in lines if line.strip()]


def test_without_a_terminal_each_text_is_one_line_and_quick_steps_print_nothing():
    file, console = _screen(terminal=False)
    with progress_bar("waiting", 2, console=console) as bar:
        bar.describe("loss [0.5] of a long line " + "x" * 100)
        bar.advance()
        bar.describe("loss [0.4]")
        bar.complete()
    assert file.getvalue() == f"loss [0.5] of a long line {'x' * 100}\nloss [0.4]\n"


def test_on_a_terminal_the_bar_shows_the_text_and_the_count_of_steps():
    file, console = _screen(terminal=True)
    with progress_bar("waiting", 3, console=console) as bar:
        bar.advance()
        bar.describe("loss [0.5]")
        bar.advance()
    frames = _frames(file.getvalue())
    assert frames[0].startswith("waiting")
    assert frames[-1].startswith("loss [0.5]")
    assert "2/3" in frames[-1]


def test_a_completed_bar_is_full():
    file, console = _screen(terminal=True)
    with progress_bar("cached", 7, console=console) as bar:
        bar.complete()
    assert "7/7" in _frames(file.getvalue())[-1]


def test_an_interrupted_bar_is_not_filled():
    file, console = _screen(terminal=True)
    with pytest.raises(KeyboardInterrupt), progress_bar("long", 7, console=console) as bar:
        bar.advance()
        raise KeyboardInterrupt
    assert "1/7" in _frames(file.getvalue())[-1]


def test_stages_print_their_names_on_standard_error_without_a_terminal(capsys):
    stages = DisplayedStages()
    with stages.stage("teacher", 2) as advance:
        advance()
    with stages.stage("students"):
        pass
    out, err = capsys.readouterr()
    assert (out, err) == ("", "teacher ...\nstudents ...\n")
    assert list(stages.seconds) == ["teacher", "students"]


def test_stages_fill_their_bars_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    with DisplayedStages().stage("teacher", 5) as advance:
        advance()  # the rest came from the cache
    last = _frames(capsys.readouterr().err)[-1]
    assert last.startswith("teacher ...")
    assert "5/5" in last


def test_steps_that_were_stored_do_not_shorten_the_time_left():
    now = [0.0]
    pace = Pace(100, lambda: now[0])
    for _ in range(60):  # stored
        pace.step()
    assert pace.seconds_left() is None
    for _ in range(2):
        now[0] += 3.0
        pace.step()
    for _ in range(10):  # those of the next kind of student
        pace.step()
    assert pace.seconds_left() == pytest.approx(3.0 * 28)
    now[0] += 2.0
    assert pace.seconds_left() == pytest.approx(3.0 * 28 - 2.0)
    now[0] += 100.0
    assert pace.seconds_left() == 0.0


def test_long_work_without_a_terminal_shows_how_far_it_is_from_time_to_time(monkeypatch):
    file, console = _screen(terminal=False)
    monkeypatch.setattr("tutelage.core.running.progress.LINE_SECONDS", 0.0)
    with progress_bar("", 3, console=console) as bar:
        bar.describe("search ...")
        for _ in range(3):
            bar.advance()
    assert file.getvalue() == "search ...\n  1 of 3\n  2 of 3\n"
