"""What `coequal cost` can be asked for: a name of the catalogue, or somebody's code."""
