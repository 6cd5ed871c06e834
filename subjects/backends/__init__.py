"""One file a place to run: devices (`serves(name)`, `moved(subject, name)`) and runtimes (`start(model, settings)`)."""
