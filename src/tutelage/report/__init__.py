"""Reports of finished runs: the terminal table, the plots and the HTML page. They read records, never models."""
