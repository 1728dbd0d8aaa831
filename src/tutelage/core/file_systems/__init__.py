"""Files and folders of this machine and of other file systems, written whole."""
