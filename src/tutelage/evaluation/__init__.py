"""Evaluation of students: scores, intervals, paired differences and cost."""
