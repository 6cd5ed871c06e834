"""Many architectures at once: strategies for them, and what is asked of each operator of the catalogue."""
