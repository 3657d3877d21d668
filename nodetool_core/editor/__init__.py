"""
The editor: the page for building and running workflows, and the routes that serve it.

`static/` is built from `editor/` at the root of the repository and committed, so that an
installation needs no node: `npm ci && npm run build`.
"""
