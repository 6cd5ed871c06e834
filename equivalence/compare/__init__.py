"""Emissions against frames of the clip: which belong together, how they differ, what of that is rounding."""
