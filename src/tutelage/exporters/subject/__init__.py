"""The student that is exported, as a comparison asks it, and the rows that it is asked."""
