"""The code that made ``nodetool/tiny-landscapes``: scenes, captions, autoencoder, denoiser, judge, export."""
