"""The loss of a trial: metrics, penalties, statistics over folds and replicas, the trainer that a scan calls."""
