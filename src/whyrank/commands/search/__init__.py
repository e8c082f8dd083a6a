"""`whyrank search`: hyper-parameters by Optuna, a trial being an experiment of DVC."""
