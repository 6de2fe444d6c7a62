"""Ways to ask: static ones as data (`static`), adaptive ones as Inspect solvers, one module each."""
