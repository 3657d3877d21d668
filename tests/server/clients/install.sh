#!/usr/bin/env bash
# Installs the clients that tests/server/test_clients.py judges the server by: an old huggingface_hub in an environment of its own, and
# the JavaScript client. Needs the package indexes of Python and npm.
#
#   tests/server/clients/install.sh FOLDER        and then NODETOOL_CLIENTS=FOLDER pytest tests/server/test_clients.py
set -euo pipefail
folder=$(mkdir -p "$1" && cd "$1" && pwd)
python3 -m venv "$folder/old_hub"
"$folder/old_hub/bin/pip" install --quiet "huggingface_hub==0.25.2" "pillow==13.0.0" "aiohttp"
cp "$(dirname "$0")/package.json" "$folder/"
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$folder"
