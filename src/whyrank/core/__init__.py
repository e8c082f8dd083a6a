"""What every layer stands on: errors, files, options, processes, progress. Imports nothing else of this package."""
