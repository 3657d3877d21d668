/** Images that a document names: where they are seen, and how new ones come in. */
import { type Json, isObject } from "../model/json.ts";
import { thumbnail } from "../net/api.ts";
import { placeName, server } from "./store.ts";

/** Where an image of a document can be seen; null where only its name is known. */
export function imageUrl(value: Json | undefined, side?: number): string | null {
  if (!isObject(value)) return null;
  if (typeof value.asset_id === "string" && value.asset_id) return thumbnail(`/v1/files/${encodeURIComponent(value.asset_id)}`, side);
  if (typeof value.url === "string" && value.url.startsWith("/v1/")) return thumbnail(value.url, side);
  const uri = typeof value.uri === "string" ? value.uri : "";
  if (uri.startsWith("data:image/")) return uri;
  if (!uri || /^[a-z][a-z0-9+.-]*:/i.test(uri)) return null;
  // What has no file yet starts from where one would be without a folder.
  const name = (placeName() || "untitled").split("/").map(encodeURIComponent).join("/");
  return thumbnail(`/v1/workflows/${name}/files?path=${encodeURIComponent(uri)}`, side);
}

export function imageName(value: Json | undefined): string {
  if (!isObject(value)) return "";
  const uri = typeof value.uri === "string" ? value.uri : "";
  if (uri.startsWith("data:")) return "";
  return uri.slice(uri.lastIndexOf("/") + 1) || String(value.asset_id ?? "").slice(0, 8);
}

export async function uploaded(blob: Blob): Promise<Json> {
  const stored = await server.api.upload(blob);
  return { type: "image", asset_id: stored.asset_id };
}
