"""What is needed where a student answers in service: from which confidence on, and whether rows have moved."""
