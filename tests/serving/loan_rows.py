"""Rows of loan applications with columns of every type, as a frame and as JSON."""

import numpy as np
import pandas as pd


def loans(count: int, seed: int) -> pd.DataFrame:
    """Rows with numbers, gaps, dates, durations, truth values and categories."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": random.integers(18, 80, count),
            "income": np.where(random.random(count) < 0.1, np.nan, random.lognormal(10, 0.5, count).round(-1)),
            "opened": pd.to_datetime("2024-01-01") + pd.to_timedelta(random.integers(0, 900, count), unit="D"),
            "waited": pd.to_timedelta(random.integers(1, 100, count), unit="h"),
            "owner": random.random(count) < 0.5,
            "purpose of it": np.where(random.random(count) < 0.1, None, random.choice(["car", "home", "holiday"], count)),
        }
    )
    score = frame["age"] / 20 - 2 + frame["owner"] + (frame["purpose of it"] == "home") - (frame["opened"].dt.month > 6)
    return frame.assign(paid=np.where(score + random.normal(0, 0.5, count) > 0.5, "yes", "no"))


def as_json_rows(frame: pd.DataFrame) -> list[dict]:
    """The rows of a frame as a request spells them."""
    rows = []
    for row in frame.to_dict("records"):
        spelt = {}
        for name, cell in row.items():
            if cell is None or cell is pd.NaT or cell != cell:
                spelt[name] = None
            elif isinstance(cell, pd.Timestamp):
                spelt[name] = cell.isoformat()
            elif isinstance(cell, pd.Timedelta):
                spelt[name] = str(cell)
            else:
                spelt[name] = cell
        rows.append(spelt)
    return rows
