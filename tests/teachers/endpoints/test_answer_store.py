"""The store of answers: whole lines or none, whatever ends the process."""

import errno
import json
import pickle
import threading
import time

import pytest

from tutelage.core.errors import CannotWrite, DamagedFile
from tutelage.teachers.endpoints.answer_store import FILE, AnswerStore
from tutelage.teachers.endpoints.completions import Choice
from tutelage.teachers.endpoints.spending import Spending

WORST = Spending(1, 100, 16)
COST = Spending(1, 40, 2)


def answered(store, key, *said, model="m-1"):
    number = store.sent("m", WORST)
    store.settled(number, COST, key=key, choices=[Choice(text) for text in said], model=model, seconds=0.5)


@pytest.fixture
def filled(tmp_path):
    store = AnswerStore(tmp_path / "cache")
    with store.writing():
        answered(store, "a", "spam", "ham")
        answered(store, "b", "ham")
    return store


def test_answers_are_read_by_another_store_of_the_folder(filled):
    other = AnswerStore(filled.folder)
    other.refresh()
    assert other.choices == filled.choices
    assert other.count("a") == 2
    assert other.count("c") == 0
    assert other.served == {"m": "m-1"}
    assert other.spent("m") == COST + COST
    assert other.spent("another") == Spending()
    assert other.seconds == {"m": [0.5, 0.5]}


def test_answers_in_memory_are_in_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = AnswerStore()
    store.check()
    with store.writing():
        answered(store, "a", "spam")
    store.refresh()
    assert store.count("a") == 1
    assert list(tmp_path.iterdir()) == []


def test_further_answers_to_a_prompt_are_added(filled):
    with filled.writing():
        answered(filled, "a", "spam")
    other = AnswerStore(filled.folder)
    other.refresh()
    assert [choice.text for choice in other.choices["a"]] == ["spam", "ham", "spam"]


def test_a_request_without_an_answer_counts_as_what_it_may_have_cost(filled):
    with filled.writing():
        filled.sent("m", WORST)
    other = AnswerStore(filled.folder)
    other.refresh()
    assert other.spent("m") == COST + COST + WORST
    with other.writing():
        other.settled(other.sent("m", WORST), Spending(1))
    assert other.spent("m") == COST + COST + WORST + Spending(1)


def test_a_file_that_ends_anywhere_holds_whole_answers(filled):
    path = filled.folder / FILE
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    for end in range(0, len(whole), 7):
        path.write_bytes(whole[:end])
        store = AnswerStore(filled.folder)
        store.refresh()
        lines_there = [line for number, line in enumerate(lines) if sum(map(len, lines[: number + 1])) <= end]
        assert sum(map(len, store.choices.values())) == sum(len(json.loads(line)["line"].get("choices", [])) for line in lines_there)
        with store.writing():
            answered(store, "c", "ham")
        again = AnswerStore(filled.folder)
        again.refresh()
        assert again.choices == store.choices


def test_a_flipped_byte_is_an_error_and_no_answer(filled):
    path = filled.folder / FILE
    whole = path.read_bytes()
    for place in [place for place in range(0, len(whole), 11) if whole[place] != ord("\n")]:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(DamagedFile, match=r"answers\.jsonl was changed"):
            AnswerStore(filled.folder).refresh()


def test_two_calls_do_not_ask_into_one_folder(filled):
    with filled.writing(), pytest.raises(CannotWrite, match="another call is asking"), AnswerStore(filled.folder).writing():
        pass


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(CannotWrite, match="other files"):
        AnswerStore(tmp_path).check()


def test_answers_that_another_process_adds_are_found(filled):
    other = AnswerStore(filled.folder)
    other.refresh()
    with filled.writing():
        answered(filled, "c", "ham")
    other.refresh()
    assert other.count("c") == 1


def test_a_deleted_file_is_forgotten(filled):
    (filled.folder / FILE).unlink()
    filled.refresh()
    assert filled.choices == {}
    with filled.writing():
        answered(filled, "a", "ham")
    assert (filled.folder / FILE).read_bytes().startswith(b'{"sha256"')


def test_a_pickled_store_finds_its_folder_again(filled):
    other = pickle.loads(pickle.dumps(filled))  # noqa: S301 - the bytes pickled here
    other.refresh()
    assert other.choices == filled.choices
    memory = AnswerStore()
    answered(memory, "a", "spam")
    assert pickle.loads(pickle.dumps(memory)).count("a") == 1  # noqa: S301 - the bytes pickled here


def test_a_full_disk_is_one_sentence_and_leaves_whole_lines(filled, monkeypatch):
    class Full:
        def __init__(self, file):
            self.file = file

        def write(self, data):
            self.file.write(data[:10])
            raise OSError(errno.ENOSPC, "No space left on device")

        def truncate(self, size):
            self.file.truncate(size)

    before = (filled.folder / FILE).read_bytes()
    with pytest.raises(CannotWrite, match="No space left"), filled.writing():
        filled._file = Full(filled._file)
        answered(filled, "c", "ham")
    assert (filled.folder / FILE).read_bytes() == before


def test_threads_take_turns_in_memory():
    store, order = AnswerStore(), []

    def ask(name):
        with store.writing():
            order.append(name)
            time.sleep(0.02)
            order.append(name)

    threads = [threading.Thread(target=ask, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert order[::2] == order[1::2]
