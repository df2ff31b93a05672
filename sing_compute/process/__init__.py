"""Connect a run with the operating system: processes, signals, a lost terminal, messages and logs."""
