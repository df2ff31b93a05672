"""Turn a command into a results file: check the plan, load networks and images, and carry out the steps of the run."""
