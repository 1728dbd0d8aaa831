"""What a student computes, as a value that is written in any language."""
