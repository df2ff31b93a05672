"""The run as seen by the operating system: one process or several, signals, a lost terminal, messages and logs."""
