"""
The code that made ``nodetool/tiny-landscapes``.

Scenes, captions, autoencoder, denoiser, judge, export.
"""
