"""The loss of ratings beside its formula, and its rows beside the table."""

from whyrank.diagnosis.probes.training import expected

expected.register("ratings", "ratings")
