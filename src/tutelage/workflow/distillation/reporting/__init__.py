"""What a distillation leaves in its folder: the chosen student, the record, the report and the card."""
