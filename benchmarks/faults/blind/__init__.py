"""Kinds of faults chosen from papers and users' reports by someone who had seen no check: what `fault.Fault` says."""
