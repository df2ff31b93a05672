"""What can be asked of finished results files: new concepts, one photograph, steering, merging, agreement."""
