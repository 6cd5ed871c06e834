"""A report for people and programs: on the terminal, as a page."""
