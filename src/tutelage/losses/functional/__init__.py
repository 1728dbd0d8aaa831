"""The pure losses: functions from tensors to one value per example, one idea a file."""
