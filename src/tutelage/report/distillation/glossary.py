"""The ten words that a report of a distillation uses."""

from __future__ import annotations

GLOSSARY = {
    "teacher": "The model whose answers students learn. It answers each row once; the checks ask it some rows again.",
    "student": "A small model that takes the teacher's place.",
    "ground truth": "What is known to be right for a row.",
    "arm": "Students that learn the same thing, such as the teacher's probabilities. All that are searched have equal numbers of trials.",
    "temperature": "A number that softens a teacher's probabilities before students learn them: improbable classes count more.",
    "trial": "One training of the search, with settings of its own, judged on validation rows.",
    "seed": "The number from which a training draws its random numbers. Another seed gives another student.",
    "validation and test rows": "Validation rows choose settings and student. Test rows choose nothing, and each look at them is counted.",
    "95 % interval": "Where the true value lies in 95 of 100 such runs, over other seeds, other rows or both.",
    "fidelity": "How closely a student follows its teacher, whether the teacher is right or not.",
}
