"""What a user asks beside `dvc repro`: named experiments and their comparison, the verdict, a system for a hub."""
