"""What a command says: a document, and the output formats that print any document."""
