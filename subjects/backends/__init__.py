"""One file a place to run: devices (`serves`, `moved`), and runtimes (`FILES`, `CURES`, `start(model, settings)`)."""
