"""Exported files as programs: a file a kind of artefact (`serves(path)`, `opened(path)`); subjects of pairs."""
