"""What was lost: scores, intervals, paired differences and cost."""
