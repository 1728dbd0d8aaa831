"""Papers on what makes a good teacher."""
