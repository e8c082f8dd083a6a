"""What a finding is, and the records that a probe may read."""
