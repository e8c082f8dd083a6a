"""A second blind set: forty kinds by someone who has seen no check and no measurement, other ones than in all sets."""
