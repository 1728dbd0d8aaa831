from tutelage.cli import main


def test_a_dry_run_counts_the_rows_of_a_cascade(flowers, here, capsys):
    common = ("distill", flowers.teacher, "--data", flowers.rows, "--truth", "species", "--drop", "plant", "--students", "tree")
    assert main([*common, "--trials", "1", "--out", "run", "--dry-run", "--cascade", "0.8"]) == 0
    assert "to calibrate on" in capsys.readouterr().out
    assert main([*common, "--out", "run", "--dry-run"]) == 0
    assert "to calibrate on" not in capsys.readouterr().out


def test_a_dry_run_counts_the_rows_given_to_validate_on(flowers, here, capsys, user_error):
    common = ("distill", flowers.teacher, "--data", flowers.rows, "--truth", "species", "--drop", "plant", "--students", "tree")
    assert main([*common, "--trials", "1", "--out", "run", "--dry-run", "--validation", flowers.test]) == 0
    printed = capsys.readouterr().out
    assert "64 to train on, 49 to validate on, 20 to test on" in printed
    assert "All seeds are validated on the rows given for it" in printed
    assert "there is no file nowhere.csv" in user_error(*common, "--out", "run", "--dry-run", "--validation", "nowhere.csv")


def test_a_rate_is_a_share(flowers, here, user_error):
    common = ("distill", flowers.teacher, "--data", flowers.rows, "--truth", "species", "--drop", "plant", "--out", "run")
    assert "0<x<1" in user_error(*common, "--cascade", "99")
    assert "can be guaranteed from 2,995 on" in user_error(*common, "--cascade", "0.999")


def test_other_processes_are_named_by_kind_and_number(flowers, here, capsys, user_error):
    common = ("distill", flowers.teacher, "--data", flowers.rows, "--truth", "species", "--drop", "plant", "--out", "run")
    assert main([*common, "--students", "tree", "--trials", "1", "--dry-run", "--on", "local:2"]) == 0
    assert "Workers   2, for the search" in capsys.readouterr().out
    assert "expected local, ray, or one of them with a number of workers" in user_error(*common, "--on", "dask")
