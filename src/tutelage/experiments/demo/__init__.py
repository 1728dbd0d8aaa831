"""The original demo, as published and as it should be: moons and mnist; and its counterpart for values, friedman."""
