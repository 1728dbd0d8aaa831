"""Papers on trees as students."""
