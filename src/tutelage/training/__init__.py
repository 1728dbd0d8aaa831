"""The torch engine: any network as a student, its settings, the training loop, checkpoints."""
