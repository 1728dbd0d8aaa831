"""One adapter for each kind of model: scikit-learn estimators, boosters, torch Modules, ONNX files, functions."""
