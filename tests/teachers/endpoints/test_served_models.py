"""One recording holds the answers of one model, by the name that the endpoint gives to it."""

import json

import pytest
from chat_endpoint import asker, by_word, completion, serving, text_of

import tutelage as tl
from tutelage.core.errors import LabelMismatch
from tutelage.softlabels.shards import MANIFEST

TEXTS = ["you win", "lunch at noon", "win a car", "see you"]


def dated(date):
    """Answers by word, of a model with a date."""
    return lambda body: completion(body, by_word(body), model=f"m-1-{date}")


def stopping(date, last):
    """The same, until a text is asked at which the endpoint answers nothing that can be used."""
    return lambda body: completion(body, "neither" if text_of(body) == last else by_word(body), model=f"m-1-{date}")


def test_the_manifest_names_the_model_that_was_served(tmp_path):
    with serving(dated("2026-08-07")) as endpoint:
        teacher = asker(endpoint)
        assert teacher.served is None
        labels = tl.record(teacher, TEXTS, tmp_path / "labels")
    assert teacher.served == labels.provenance.served == "m-1-2026-08-07"
    assert json.loads((tmp_path / "labels" / MANIFEST).read_text())["served"] == "m-1-2026-08-07"
    assert tl.open_labels(tmp_path / "labels").provenance.served == "m-1-2026-08-07"


def test_a_recording_that_was_stopped_is_not_continued_with_another_version(tmp_path):
    with serving(stopping("2026-08-07", TEXTS[-1])) as endpoint:
        with pytest.raises(tl.TutelageError, match="have no class"):
            tl.record(asker(endpoint), TEXTS, tmp_path / "labels", shard_rows=2)
        endpoint.answer = dated("2026-11-01")
        with pytest.raises(LabelMismatch, match="are those of 'm-1-2026-08-07', and the endpoint now serves 'm-1-2026-11-01'"):
            tl.record(asker(endpoint), TEXTS, tmp_path / "labels", shard_rows=2)
        endpoint.answer = dated("2026-08-07")
        assert len(tl.record(asker(endpoint), TEXTS, tmp_path / "labels", shard_rows=2)) == 4


def test_a_finished_recording_is_opened_without_asking_and_not_as_that_of_another_version(tmp_path):
    with serving(dated("2026-08-07")) as endpoint:
        tl.record(asker(endpoint), TEXTS, tmp_path / "labels")
        asked = len(endpoint.bodies)
        assert len(tl.record(asker(endpoint), TEXTS, tmp_path / "labels")) == 4
        assert len(endpoint.bodies) == asked
        endpoint.answer = dated("2026-11-01")
        other = asker(endpoint)
        other.answer(TEXTS)
        with pytest.raises(LabelMismatch, match="the endpoint now serves 'm-1-2026-11-01'"):
            tl.record(other, TEXTS, tmp_path / "labels")
