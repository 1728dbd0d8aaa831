"""A program that loads a booster and queries it, so that a file which ends a process ends this one. `booster_files` starts it.

The bytes of the file arrive on standard input. Status 0: the booster loads and answers; status 3: the engine refuses it, and the last line
of standard error says why. Any other end is that of a damaged file. It imports little, to start quickly.
"""

import sys
from typing import Any

import numpy as np

ROWS = 64
_NOT_NEEDED: dict[str, tuple[str, ...]] = {"lightgbm": ("sklearn", "pandas"), "xgboost": ("sklearn",), "catboost": ()}
"""What an engine imports if it is there, and does without: it starts faster."""
REFUSED = 3


def main(engine: str, memory: int, seconds: int) -> None:
    """Load the booster of `engine` on standard input with at most `memory` bytes and `seconds` of a processor, and query it."""
    _limit(memory, seconds)
    content = sys.stdin.buffer.read()
    for module in _NOT_NEEDED[engine]:
        sys.modules[module] = None  # type: ignore[assignment]
    {"lightgbm": _lightgbm, "xgboost": _xgboost, "catboost": _catboost}[engine](content)


def _limit(memory: int, seconds: int) -> None:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    except (ImportError, OSError, ValueError):  # Windows, and systems without this limit: the time limit remains
        pass


def _rows(width: int) -> Any:
    """(ROWS, width) numbers of every size, whole ones among them, with gaps and infinities."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(ROWS, width)) * 10.0 ** rng.integers(-3, 6, (ROWS, 1))
    rows[: ROWS // 4] = np.round(np.abs(rows[: ROWS // 4]))
    rows[0], rows[1], rows[2], rows[3] = 0, np.nan, np.inf, -np.inf
    return rows


def _lightgbm(content: bytes) -> None:
    import lightgbm

    booster = lightgbm.Booster(model_str=content.decode())
    booster.dump_model()
    booster.model_to_string()
    booster.predict(_rows(booster.num_feature()), num_threads=1)


def _xgboost(content: bytes) -> None:
    import xgboost

    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(content))
    booster.set_param({"nthread": 1})
    booster.save_config()
    booster.save_raw("json")
    rows, types = _rows(booster.num_features()), booster.feature_types
    if "c" in (types or ()):
        for _, levels in booster.get_categories(export_to_arrow=True).to_arrow():
            if levels is not None:
                levels.to_pylist()
    for place, kind in enumerate(types or ()):
        if kind == "c":
            rows[:, place] = np.arange(ROWS) % 7
    rows[np.isinf(rows)] = 0  # XGBoost refuses infinite numbers
    matrix = xgboost.DMatrix(rows, feature_names=booster.feature_names, feature_types=types, enable_categorical=True, nthread=1)
    for margin in (False, True):
        booster.predict(matrix, output_margin=margin)


def _catboost(content: bytes) -> None:
    import catboost

    model = catboost.CatBoost().load_model(blob=content)
    model.get_all_params()
    if model._object._get_text_feature_indices() or model._object._get_embedding_feature_indices():
        return
    rows = _rows(len(model.feature_names_)).astype(object)
    rows[:, model._object._get_cat_feature_indices()] = "a"
    model.predict(catboost.Pool(rows, cat_features=model._object._get_cat_feature_indices()), thread_count=1)


if __name__ == "__main__":
    try:
        main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    except BaseException as error:
        sys.stderr.write(f"\n{' '.join(str(error).split())[:500] or type(error).__name__}\n")
        sys.exit(REFUSED)
