"""
Every check of the wire contracts of the dialects, and the test that makes it.

The checks of the Hugging Face API have numbers, which the names of their tests begin with.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import pytest

from nodetool_core.server.settings import DialectName
from tests.server.test_dialect_failures import SPOKEN

HERE = Path(__file__).parent
HUGGING_FACE = range(1, 32)

CHECKS: Mapping[str, Mapping[str, str]] = {
    "openai/test_contract.py": {
        "minimal generate": "test_minimal_generate",
        "n=3 gives 3 different": "test_n_3_gives_3_different",
        "size 512x512, 513x511, auto": "test_sizes",
        "size junk is 400 with error.message": "test_size_junk_is_400_with_error_message",
        "both response formats": "test_both_response_formats",
        "a URL needs no token": "test_a_url_needs_no_token",
        "edit with one image": "test_edit_with_one_image",
        "edit with two images": "test_edit_with_two_images",
        "transparent mask region only changes": "test_transparent_mask_region_only_changes",
        "webp file named .png": "test_webp_file_named_png",
        "variation": "test_a_variation",
        "stream with partial_images 0 and 2": "test_stream_with_partial_images",
        "an error in the middle of a stream": "test_a_stream_that_fails",
        "wrong key 401 shape": "test_wrong_key_401_shape",
        "api-key of clients of Azure": "test_a_key_as_clients_of_azure_send_it",
        "unknown model": "test_unknown_model",
        "body over the limit 413 shape": "test_body_over_the_limit_413_shape",
        "seed through extra_body": "test_seed_through_extra_body_twice_gives_the_same_bytes",
        "client gone, run cancelled": "test_client_gone_run_cancelled",
        "models.list serves both meanings": "test_models_serve_both_meanings",
    },
    "openai/test_published_schema.py": {
        "ImagesResponse of the published schema": "test_a_generation",
        "the events of the published schema": "test_every_event_of_a_stream",
    },
    "openai/test_clients.py": {
        "openai of npm": "test_the_npm_sdk",
        "langchain-community": "test_langchain",
        "Open WebUI's form": "test_open_webui",
        "LibreChat": "test_librechat",
    },
    "a1111/test_clients.py": {
        "webuiapi": "test_webuiapi",
        "LibreChat": "test_librechat",
        "Open WebUI": "test_open_webui_by_curl",
        "Open WebUI's set-model": "test_open_webui_sets_a_model",
        "SillyTavern": "test_sillytavern",
        "every endpoint": "test_a_route_for_every_path_of_the_contract",
    },
    "a1111/test_generation.py": {
        "images never contain the input": "test_an_image_to_start_from",
        "white of the mask is repainted": "test_white_of_the_mask_is_made_anew",
        "null is allowed": "test_null_is_as_good_as_nothing",
        "unknown checkpoint and sampler": "test_what_is_refused",
    },
    "a1111/test_requests.py": {
        "Basic authentication": "test_the_password_is_the_token",
        "an empty Authorization": "test_an_empty_authorization_where_no_token_is_set",
        "url and auth are not logged": "test_logs_leave_the_password_out",
        "options": "test_options_are_the_clients_own",
        "progress": "test_progress",
        "interrupt": "test_a_client_ends_its_own_images",
    },
    "comfyui/test_clients.py": {
        "comfy_api_simplified": "test_comfy_api_simplified",
        "websockets and the original's scripts": "test_a_script_of_urllib_and_websockets",
        "Open WebUI's comfyui.py": "test_open_webui",
        "SillyTavern": "test_sillytavern",
    },
    "comfyui/test_contract.py": {
        "every path with and without /api": "test_every_path_is_there_with_and_without_api",
        "the same prompt again gives something": "test_the_same_prompt_again_gives_the_same_again",
        "node_errors of a class": "test_a_class_without_counterpart",
        "no graph": "test_no_prompt",
        "the history has the failure's reason": "test_a_failure_is_in_the_history",
        "/queue": "test_the_queue",
        "/history": "test_the_history_is_read_in_parts_and_removed",
        "/free": "test_free",
        "/object_info": "test_object_info_says_what_there_is",
        "/system_stats": "test_system_stats",
    },
    "comfyui/test_files.py": {
        "/view outside": "test_nothing_outside_is_read",
        "/view's preview and channel": "test_previews_and_channels",
        "/upload/image": "test_a_name_that_is_taken_gets_a_number",
        "/upload/mask": "test_a_mask_is_the_alpha_channel_of_an_upload",
        "a token in every form": "test_the_token_is_taken_in_every_form",
    },
    "comfyui/test_sockets.py": {
        "executing null after a run": "test_a_run_is_reported_from_its_start_to_its_end",
        "executing null of a cached run": "test_what_is_known_is_reported_to_its_end_as_well",
        "executing null of a failed run": "test_a_failure_is_reported_to_its_end_as_well",
        "execution_interrupted": "test_a_cancelled_prompt_is_reported_to_its_end_as_well",
        "after a reconnect": "test_a_client_that_connects_again_gets_what_runs_and_what_ended",
        "binary previews": "test_previews_for_who_wants_them",
    },
    "mcp/test_http.py": {
        "list_tools in both eras": "test_list_tools",
        "call_tool": "test_an_image_comes_as_a_preview_and_as_a_link",
        "progress callback": "test_progress",
        "cancel": "test_cancel",
        "isError and unknown tool": "test_what_is_wrong_is_said_to_the_model",
        "versions that there are not": "test_messages_that_are_none",
        "foreign Origin 403": "test_origin_and_token",
        "the SDK of npm": "test_the_npm_sdk",
        "inspector": "test_the_inspector",
    },
    "mcp/test_stdio.py": {
        "stdio of Python": "test_a_host_of_python",
        "stdio of npm": "test_a_host_of_node",
    },
    "replicate/test_clients.py": {
        "replicate of PyPI": "test_the_python_sdk",
        "replicate of npm": "test_the_npm_sdk",
    },
    "replicate/test_contract.py": {
        "create of a model": "test_create_of_a_model",
        "create of a version": "test_create_of_a_version",
        "create of a deployment": "test_create_of_a_deployment",
        "Prefer: wait": "test_what_has_not_ended_after_the_wait_is_starting",
        "cancel": "test_cancel",
        "pages": "test_list_by_pages",
        "files": "test_files",
        "our own file's address as an input": "test_images_by_every_reference",
        "models and versions": "test_a_model",
        "problem+json": "test_errors_are_problem_details",
        "a failed run is a Prediction": "test_a_failed_run_is_a_prediction",
        "urls.stream": "test_a_stream",
    },
    "replicate/test_webhooks.py": {
        "webhooks": "test_a_prediction_is_sent_as_it_goes_on",
        "addresses that are not told": "test_addresses_that_are_not_notified",
    },
    "test_dialect_failures.py": {
        "bad token": "test_bad_token",
        "unknown model": "test_unknown_model",
        "bad image": "test_bad_image",
        "too large": "test_too_large",
        "busy": "test_busy",
        "busy, of jobs": "test_a_full_queue_of_jobs",
        "cold": "test_cold",
        "cold, of jobs": "test_a_job_whose_model_does_not_come",
        "cancelled": "test_cancelled",
        "cancelled, of jobs": "test_a_job_that_is_cancelled",
        "database away": "test_database_away",
        "disk full": "test_disk_full",
        "neither is needed where nothing is kept": "test_what_keeps_nothing_needs_neither",
    },
    "comfyui/test_failures.py": {
        "bad token": "test_bad_token",
        "unknown model": "test_unknown_model",
        "bad image, too large": "test_bad_image_and_too_large",
        "busy": "test_busy",
        "cold": "test_cold",
        "database away": "test_database_away",
        "disk full": "test_disk_full",
    },
    "qolaba/test_routes.py": {
        "guidance, batch and strength out of range": "test_what_is_out_of_range",
        "their bounds are accepted": "test_what_is_just_in_range",
        "eight in a batch": "test_a_batch_gives_as_many_different_images",
        "sizes of the app's table": "test_sizes_are_those_of_the_app",
        "3072x1536 is worked on at 1536x768": "test_a_large_image_is_scaled_down",
        "celery: task_id, PENDING, SUCCESS": "test_a_queued_task",
        "file_urls with celery alone": "test_file_urls_are_fetched_where_the_task_is_queued",
        "an unknown task": "test_an_unknown_task_has_failed",
        "addresses that are not fetched": "test_addresses_that_are_not_fetched",
        "nor by a redirect": "test_a_redirect_to_an_address_that_is_not_fetched",
    },
}
"""
By the file of the tests; the check in the contract's words, and the name of its test.

A cancelled prompt of ComfyUI is among its sockets.
"""


@pytest.mark.parametrize("number", HUGGING_FACE)
def test_each_check_of_the_hugging_face_api_is_a_test_by_its_number(number: int) -> None:
    folders = (HERE / "huggingface", HERE / "runtime")
    texts = [path.read_text("utf-8") for folder in folders for path in folder.glob("test_*.py")]
    assert any(re.search(rf"^def test_{number}_", text, re.MULTILINE) for text in texts)


def test_failures_are_looked_at_in_every_dialect() -> None:
    """ComfyUI's have a file of their own, for its requests are graphs."""
    assert {*SPOKEN, "comfyui"} == set(get_args(DialectName))


@pytest.mark.parametrize("path", CHECKS)
def test_each_check_of_a_contract_is_a_test_by_its_name(path: str) -> None:
    found = set(re.findall(r"^def (test_\w+)", (HERE / path).read_text("utf-8"), re.MULTILINE))
    assert set(CHECKS[path].values()) <= found
