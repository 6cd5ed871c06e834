"""One output format a file; each prints any document."""
