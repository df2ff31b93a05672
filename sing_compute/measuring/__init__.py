"""From features on disk to the numbers of one model: translator, image and concept rows, what stands beside them."""
