import pytest

from tutelage.core.errors import BadInput
from tutelage.workflow.distillation.folder import RunFolder, file_name


def test_a_run_does_not_go_on_with_other_versions(tmp_path):
    folder = RunFolder(tmp_path)
    folder.check_versions({"scikit-learn": "1.6.0", "numpy": "2.0.0"})
    folder.check_versions({"scikit-learn": "1.6.0", "numpy": "2.0.0"})
    with pytest.raises(BadInput, match=r"started with scikit-learn 1\.6\.0, and this is scikit-learn 1\.7\.0: .* choose another folder"):
        folder.check_versions({"scikit-learn": "1.7.0", "numpy": "2.0.0"})
    with pytest.raises(BadInput, match=r"started with torch \(none\), and this is torch 2\.5"):
        folder.check_versions({"scikit-learn": "1.6.0", "numpy": "2.0.0", "torch": "2.5"})


def test_words_of_a_file_name_do_not_run_into_one_another():
    assert file_name("answers", "more rows tree", 0) != file_name("answers, more rows", "tree", 0)


def test_other_columns_are_named(tmp_path):
    def made_from(columns, data=1):
        return {"rows": {"columns": columns, "data": data}, "limits": []}

    def opened(plan):
        with RunFolder(tmp_path / "run").opened(plan):
            (tmp_path / "run" / "results.json").touch()

    opened(made_from(["id", "a"]))
    opened(made_from(["id", "a"]))
    with pytest.raises(BadInput, match=r"holds a run with other columns \(with 'id'\); pass what it was started with"):
        opened(made_from(["a"]))
    with pytest.raises(BadInput, match=r"other columns \(with 'id' and without 'b', 'c'\)"):
        opened(made_from(["a", "b", "c"]))
    with pytest.raises(BadInput, match=r"other columns \(in another order\)"):
        opened(made_from(["a", "id"]))
    with pytest.raises(BadInput, match="other rows or another ground truth"):
        opened(made_from(["id", "a"], data=2))


@pytest.mark.parametrize("stored", [{"rows": 1}, {"rows": 1, "split": "a"}])
def test_a_run_does_not_go_on_with_another_split_of_its_rows(tmp_path, stored):
    def opened(plan):
        with RunFolder(tmp_path / "run").opened(plan):
            (tmp_path / "run" / "results.json").touch()

    opened(stored)
    with pytest.raises(BadInput, match=r"of another version of tutelage, which may have split the same rows otherwise: .* another folder"):
        opened({"rows": 1, "split": "b"})
    with pytest.raises(BadInput, match="holds a run with other rows or another ground truth; pass what it was started with"):
        opened({"rows": 2, "split": "b"})


def test_figures_in_units_of_the_variance_do_not_join_those_of_an_earlier_version(tmp_path):
    def opened(**made_from):
        with RunFolder(tmp_path / "run").opened({"rows": 1, **made_from}):
            folder = RunFolder(tmp_path / "run")
            folder.settle_units()
            folder.write("work/trials/a.json", {})

    opened()
    opened()  # what was settled is no difference from what the run is made from
    folder = RunFolder(tmp_path / "run")
    folder.write("plan.json", {"made_from": {"rows": 1}})  # as that version wrote it
    with pytest.raises(BadInput, match=r"begun by an earlier version .* several values as they are; .* Remove the folder, or name another"):
        opened()
