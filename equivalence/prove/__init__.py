"""The decision in exact arithmetic: draws, readings, and the inductions that reach every length."""
