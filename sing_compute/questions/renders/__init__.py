"""Pictures of equivalent features: which embeddings of which images, their pictures, and how far these can be believed."""
