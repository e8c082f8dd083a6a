"""Systems that another tool made: their vectors or their scores, read from files and checked."""
