"""Read vocabularies of concepts, and embed their texts and images in CLIP space."""
