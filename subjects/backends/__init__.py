"""One file a place to run: devices (`serves(name)`, `moved(subject, name)`) and runtimes (`FILES`, `CURES`, `start(model, settings)`)."""
