"""From a command to a results file: the plan, what is loaded and looked at, the order of things, all models into the store."""
