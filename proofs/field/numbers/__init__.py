"""Numbers of a field: primes, constants, symbols, and the hash that free functions are."""
