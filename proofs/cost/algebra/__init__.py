"""Counts as numbers and expressions: what a count is, its index domains, its phases, its letters."""
