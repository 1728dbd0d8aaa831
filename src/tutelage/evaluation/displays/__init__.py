"""Plots of an evaluation in the style of scikit-learn's Displays: created by `from_...`, drawn by `plot`, with `ax_` and `figure_`."""
