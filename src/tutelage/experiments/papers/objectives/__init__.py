"""Every objective of the torch engine on the same jobs."""
