import json

from tutelage.core.records import dumps
from tutelage.report.distillation.figures import Figures


def test_figures_are_the_same_after_json(every_kind, hostile):
    for figures in (*(figures for _, figures in every_kind.values()), hostile[1]):
        assert Figures.from_json(json.loads(dumps(figures.to_json()))).to_json()["checksum"] == figures.to_json()["checksum"]


def test_tuples_come_back_as_tuples(figures):
    assert Figures.from_json(json.loads(dumps(figures.to_json()))) == figures
