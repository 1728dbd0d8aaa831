from tutelage.cli import main


def test_a_dry_run_counts_the_rows_of_a_cascade(flowers, here, capsys):
    common = ("distill", flowers.teacher, "--data", flowers.rows, "--truth", "species", "--drop", "plant", "--students", "tree")
    assert main([*common, "--trials", "1", "--out", "run", "--dry-run", "--cascade", "0.8"]) == 0
    assert "to calibrate on" in capsys.readouterr().out
    assert main([*common, "--out", "run", "--dry-run"]) == 0
    assert "to calibrate on" not in capsys.readouterr().out


def test_a_rate_is_a_share(flowers, here, user_error):
    common = ("distill", flowers.teacher, "--data", flowers.rows, "--truth", "species", "--drop", "plant", "--out", "run")
    assert "0<x<1" in user_error(*common, "--cascade", "99")
    assert "can be guaranteed from 2,995 on" in user_error(*common, "--cascade", "0.999")
