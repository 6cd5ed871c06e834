"""One file for each library whose modules become subjects: `recognises(module)`, `subject(module, example, **overrides)`."""
