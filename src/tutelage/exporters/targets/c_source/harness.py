"""Programs in C around a C file: one that answers rows for a proof, and one that times calls."""

from __future__ import annotations

import struct

import numpy as np

from tutelage.exporters.program.program import Program
from tutelage.exporters.subject.check_rows import CheckRows
from tutelage.exporters.targets.c_source.file import Face
from tutelage.exporters.targets.c_source.operations import size


def harness(program: Program, face: Face, file: str) -> str:
    """A program that reads rows as `packed` gives them, and writes their answers and decisions.

    Its own names have no underscore, and those of the file have one after the prefix, so that no prefix makes one of them.

    Without arguments it reads standard input, and writes for each row the answers as doubles, then the decisions as 32-bit integers, and
    whether it is deferred in a file with a threshold. With the name of a file of rows, it times calls as `timed_process.Child` asks.
    """
    numbers, texts = size(program.row_shape), len(program.texts)
    p, upper = face.prefix, face.prefix.upper()
    row = f"{p}_row" if texts else f"struct {{ {face.cell} numbers[{numbers}]; }}"
    given = "&row" if texts else "row.numbers"
    answer = f"{p}_predict_values" if face.task == "regression" else f"{p}_predict_proba"
    decide = {
        "multiclass": f"decisions[0] = {p}_predict(GIVEN);",
        "multilabel": f"{p}_predict(GIVEN, decisions);",
        "regression": "",
    }.get(face.task, f"decisions[0] = {p}_predict(GIVEN);")
    count = {"regression": 0, "multilabel": face.outputs}.get(face.task, 1)
    defer = "" if face.threshold is None else f"decisions[{count}] = {p}_defers(GIVEN);"
    words = {
        "DECLARATIONS_ONLY": f"{upper}_DECLARATIONS_ONLY",
        "FILE": file,
        "ROW": row,
        "READ_NUMBERS": f"if (fread(row->numbers, sizeof row->numbers[0], {numbers}, from) != {numbers}) return 0;" if numbers else "",
        "READ_TEXTS": f"for (int i = 0; i < {texts}; ++i) if (!readtext(&row->texts[i], from)) return 0;" if texts else "",
        "FREE_TEXTS": f"for (int i = 0; i < {texts}; ++i) free((char *)row.texts[i]);" if texts else "",
        "DECIDE": f"{decide} {defer}".replace("GIVEN", given),
        "GIVEN": given.replace("row", "rows[place]"),
        "ANSWER": f"{answer}({given}, answers)",
        "TIMED": f"{answer}({given.replace('row', 'rows[start + i]', 1)}, answers)",
        "NUMBER": face.number,
        "OUTPUTS": str(face.outputs),
        "DECISIONS": str(count + (face.threshold is not None)),
        "READS_TEXT": _READS_TEXT if texts else "",
    }
    filled = _HARNESS
    for word, value in words.items():
        filled = filled.replace(f"<{word}>", value)
    return filled


def packed(rows: CheckRows, program: Program, face: Face) -> bytes:
    """Rows for a harness: the number of rows, and for each its numbers, and the length and the bytes of each text; -1 for none."""
    numbers = rows.numbers.reshape(len(rows), -1)
    with np.errstate(over="ignore"):
        numbers = numbers.astype(np.float32 if face.cell == "float" else np.float64)
    parts = [struct.pack("<q", len(rows))]
    for row, texts in zip(numbers, rows.texts.tolist(), strict=True):
        parts.append(row.tobytes())
        for text in texts:
            coded = b"" if text is None else text.encode("utf-8", "surrogatepass")
            parts.append(struct.pack("<i", -1 if text is None else len(coded)) + coded)
    return b"".join(parts)


_READS_TEXT = """
static int readtext(const char **text, FILE *from) {
    int32_t length;
    if (fread(&length, sizeof length, 1, from) != 1) return 0;
    *text = NULL;
    if (length < 0) return 1;
    char *read = calloc((size_t)length + 1, 1);
    if (!read || fread(read, 1, (size_t)length, from) != (size_t)length) return 0;
    *text = read;
    return 1;
}
"""
_HARNESS = """
#define _POSIX_C_SOURCE 199309L
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#define <DECLARATIONS_ONLY>
#include "<FILE>"

typedef <ROW> onerow;
<READS_TEXT>
static int readrow(onerow *row, FILE *from) {
    (void)row;
    (void)from;
    <READ_NUMBERS>
    <READ_TEXTS>
    return 1;
}

static int answerall(void) {
    int64_t count;
    if (fread(&count, sizeof count, 1, stdin) != 1) return 1;
    for (; count > 0; --count) {
        onerow row;
        <NUMBER> answers[<OUTPUTS>];
        int decisions[<DECISIONS> + 1] = {0};
        if (!readrow(&row, stdin)) return 1;
        <ANSWER>;
        <DECIDE>
        for (int i = 0; i < <OUTPUTS>; ++i) {
            const double value = (double)answers[i];
            if (fwrite(&value, sizeof value, 1, stdout) != 1) return 1;
        }
        <FREE_TEXTS>
        if (fwrite(decisions, sizeof decisions[0], <DECISIONS>, stdout) != <DECISIONS>) return 1;
    }
    return fflush(stdout) != 0;
}

static volatile double seen; /* so that no call is left out */

static int timecalls(const char *path) {
    int64_t count;
    FILE *from = fopen(path, "rb");
    if (!from || fread(&count, sizeof count, 1, from) != 1) return 1;
    onerow *rows = calloc((size_t)count, sizeof *rows);
    for (int64_t i = 0; i < count; ++i) if (!rows || !readrow(&rows[i], from)) return 1;
    fclose(from);
    puts("ready");
    fflush(stdout);
    long asked, calls;
    while (scanf("%ld %ld", &asked, &calls) == 2) {
        int64_t start = 0;
        for (long call = 0; call < calls; ++call) {
            struct timespec begun, ended;
            <NUMBER> answers[<OUTPUTS>];
            if (start + asked > count) start = 0;
            clock_gettime(CLOCK_MONOTONIC, &begun);
            for (int64_t i = 0; i < asked; ++i) {
                <TIMED>;
                seen = (double)answers[0];
            }
            clock_gettime(CLOCK_MONOTONIC, &ended);
            start += asked;
            printf("%lld ", (long long)(ended.tv_sec - begun.tv_sec) * 1000000000LL + (ended.tv_nsec - begun.tv_nsec));
        }
        puts("");
        fflush(stdout);
    }
    return 0;
}

int main(int arguments, char **given) {
    return arguments > 1 ? timecalls(given[1]) : answerall();
}
"""
