"""From a difference to something that a person can use: shrunk, located, explained, repeated by one line."""
