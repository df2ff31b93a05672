"""From a command to a results file: the plan, the features on disk, the measurements, the store."""
