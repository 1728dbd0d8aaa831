"""Small fully connected networks in NumPy, as scikit-learn estimators."""
