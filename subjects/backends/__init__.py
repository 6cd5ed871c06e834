"""One file for each runtime that a subject can be moved to: `serves(name)`, `moved(subject, name)`."""
