"""What every stage may lean on: errors, array checks, frozen records, whole-file writes, stages with a clock."""
