"""Decode CLIP embeddings to pictures by diffusion models of diffusers."""
