import io

import pytest
from rich.console import Console

from tutelage.report.distillation.table import terminal_table

KINDS = ["binary", "values", "no truth", "limits not met", "nothing measured"]


def printed(record, width=120):
    console = Console(width=width, file=io.StringIO())
    console.print(terminal_table(record))
    return console.file.getvalue()


@pytest.mark.parametrize("kind", KINDS)
def test_it_begins_with_the_answer_and_names_every_arm(every_kind, kind):
    record, _ = every_kind[kind]
    text = " ".join(printed(record).split())
    assert text.startswith(record.answer)
    assert all(arm.name in text for arm in record.arms)
    assert all(comparison.verdict in text for comparison in record.comparisons)


def test_it_holds_the_figures_of_the_record(binary):
    text = printed(binary)
    for part in ("89.3 %", "87.3 to 91.3", "4 kB", "44 µs", "+2.2 points (+1.1 to +3.3)", "measured 48.4 µs, met", "\nA larger one."):
        assert part in text, part


def test_it_fits_eighty_columns(binary):
    assert max(map(len, printed(binary, width=80).splitlines())) <= 80
    assert all(f"\n{arm.name} " in printed(binary, width=80) for arm in binary.arms)


def test_hostile_texts_do_not_reach_the_terminal(hostile):
    record, _ = hostile
    assert not set("\x1b\u202e\x00") & set(printed(record))
