"""Make a mixed table and a teacher to try `tutelage distill` on: python loans.py [FOLDER]

The table holds loan applications with numbers, categories, gaps, dates and an id, and whether each was paid back. Writes rows.csv, with
the ground truth in the column "paid", and teacher.pkl, a scikit-learn pipeline that was fitted on other applications.
"""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

PURPOSES = {"car": 0.6, "home": 1.1, "holiday": -0.5, "studies": 0.2, "business": -0.4}


def applications(count: int, seed: int) -> pd.DataFrame:
    """Loan applications, and in the column "paid" whether each was paid back."""
    random = np.random.default_rng(seed)
    income = random.lognormal(10.3, 0.5, count)
    amount = random.lognormal(9.2, 0.6, count)
    age = random.integers(18, 80, count)
    purpose = random.choice(list(PURPOSES), count)
    day = random.integers(0, 1500, count)
    score = 1.6 * np.log(income / amount / 3) + np.array([PURPOSES[name] for name in purpose]) - ((age - 48) / 22) ** 2 + 1.2
    score += np.where((purpose == "business") & (income > 40_000), 1.5, 0.0)
    rows = pd.DataFrame(
        {
            "id": [f"L{seed}{place:06d}" for place in range(count)],
            "opened": pd.Timestamp("2022-01-01") + pd.to_timedelta(day, unit="D"),
            "age": age,
            "income": np.where(random.random(count) < 0.1, np.nan, income.round(-2)),
            "amount": amount.round(-2),
            "purpose": np.where(random.random(count) < 0.03, None, purpose),
        }
    )
    return rows.assign(paid=np.where(random.random(count) < 1 / (1 + np.exp(-2 * score)), "yes", "no"))


def main(folder: Path) -> None:
    rows, others = applications(5_000, seed=1), applications(20_000, seed=2)
    numbers, categories = ["age", "income", "amount"], ["purpose"]
    columns = make_column_transformer((SimpleImputer(add_indicator=True), numbers), (OneHotEncoder(handle_unknown="ignore"), categories))
    teacher = make_pipeline(columns, RandomForestClassifier(300, min_samples_leaf=5, random_state=0))
    teacher.fit(others[[*numbers, *categories]], others["paid"])
    rows.to_csv(folder / "rows.csv", index=False)
    (folder / "teacher.pkl").write_bytes(pickle.dumps(teacher))
    print(f"{folder / 'rows.csv'}: {len(rows)} applications; {folder / 'teacher.pkl'}: a pipeline fitted on {len(others)} others.")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
