"""What a stream saves: operations, memory, energy."""
