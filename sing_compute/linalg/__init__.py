"""Pure mathematics on tensors: null spaces and angles. No files, no models; results stay on the device of the arguments."""
