"""List the photographs of a run with their classes, and decode each once for all networks."""
