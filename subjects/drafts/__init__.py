"""What a draft of a subject is guessed from, one idea a file: names, signatures, examples, starts, returns, trials."""
