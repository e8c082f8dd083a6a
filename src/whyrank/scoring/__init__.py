"""Systems to scores and metrics on the test set."""
