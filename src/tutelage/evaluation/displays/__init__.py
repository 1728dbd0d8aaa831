"""Pictures of an evaluation, as scikit-learn's Displays: made by `from_...`, drawn by `plot`, kept in `ax_` and `figure_`."""
