#!/usr/bin/env bash
# Installs the clients that the tests judge the server by: an old huggingface_hub, LangChain, webuiapi, comfy_api_simplified and
# replicate in environments of their own, and the JavaScript clients. Needs the package indexes of Python and npm.
#
#   tests/server/clients/install.sh FOLDER        and then NODETOOL_CLIENTS=FOLDER pytest tests/server
set -euo pipefail
folder=$(mkdir -p "$1" && cd "$1" && pwd)
python3 -m venv "$folder/old_hub"
"$folder/old_hub/bin/pip" install --quiet "huggingface_hub==0.25.2" "pillow==13.0.0" "aiohttp"
python3 -m venv "$folder/langchain"
"$folder/langchain/bin/pip" install --quiet "langchain-community==0.4.2" "openai==3.57.0"
python3 -m venv "$folder/webui"
"$folder/webui/bin/pip" install --quiet "webuiapi==0.9.17" "pillow==13.0.0"
python3 -m venv "$folder/comfy"
"$folder/comfy/bin/pip" install --quiet "comfy_api_simplified==1.6.0"
python3 -m venv "$folder/replicate"
"$folder/replicate/bin/pip" install --quiet "replicate==1.0.7"
# What reads the files of deployment, for tests/test_deployment.py.
python3 -m venv "$folder/deployment"
"$folder/deployment/bin/pip" install --quiet "kubernetes-validate==1.37.0" "compose-spec==0.2.1"
cp "$(dirname "$0")/package.json" "$folder/"
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$folder"
