"""What the texts themselves say before any training: answers, queries, wording, cuts, splits."""
