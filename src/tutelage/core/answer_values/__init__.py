"""The most probable among many classes, and the names of classes."""
