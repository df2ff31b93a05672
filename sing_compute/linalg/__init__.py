"""Pure mathematics on tensors: null spaces and angles. No files, no models, no devices guessed."""
