"""Ship it: a student as a file that was compared with it before it took its name."""
