"""What a stream remembers, found whole: objects that are walked, names that code reads, caches, memory in common."""
