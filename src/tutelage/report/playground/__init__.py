"""The playground of a report: an exported student that answers in the page."""
