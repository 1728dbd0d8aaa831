"""What the report of a distillation shows besides its record, and the files that it is."""
