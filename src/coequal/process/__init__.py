"""The user's code in a process of its own: parent, child, what is loaded there, whose fault an exception is."""
