"""What a distillation is given, parsed once: a teacher, sets of rows, and their split."""
