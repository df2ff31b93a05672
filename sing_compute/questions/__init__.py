"""Answer questions about finished results files: new concepts, one photograph, steering, merging, agreement."""
