"""What every other package builds on: errors, array checks, frozen records, atomic file writes, stage timing."""
