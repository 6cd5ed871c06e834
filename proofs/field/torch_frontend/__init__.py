"""Programs written for torch, run over a field: dispatched operations, overridden methods, storage."""
