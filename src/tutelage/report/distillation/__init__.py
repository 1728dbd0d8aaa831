"""The record of a distillation, and how it is shown."""
