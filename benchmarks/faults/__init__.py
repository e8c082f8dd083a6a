"""How well the diagnosis sees faults: kinds of faults, healthy runs, and what was said of each."""
