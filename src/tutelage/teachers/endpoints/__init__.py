"""Language models behind an HTTP endpoint as teachers of classes for texts."""
