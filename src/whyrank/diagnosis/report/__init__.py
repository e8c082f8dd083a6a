"""The report: one page for a browser, one for a terminal, and the tables behind both."""
