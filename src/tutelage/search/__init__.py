"""Model selection: the settings and the number of transfer rows are chosen on validation rows, never on test rows."""
