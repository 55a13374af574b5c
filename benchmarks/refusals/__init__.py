"""How long it takes until bad input is refused: a row of each kind, in a process of its own."""
