"""The search: arms, the students that can learn them, the rows they are tried on, and trials."""
