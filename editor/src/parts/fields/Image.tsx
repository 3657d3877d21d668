import { useRef, useState } from "preact/hooks";
import { type Json, isObject } from "../../model/json.ts";
import { bytesText, t } from "../../text.ts";
import { complain } from "../../app/running.ts";
import { dialog, file, server } from "../../app/store.ts";
import { Icon, IconButton } from "../Icon.tsx";
import { type FieldProps, common } from "./Field.tsx";

/** Where an image of a document can be seen; null where only its name is known. */
export function imageUrl(value: Json | undefined, side?: number): string | null {
  if (!isObject(value)) return null;
  const thumb = side === undefined ? "" : `side=${side}`;
  if (typeof value.asset_id === "string" && value.asset_id) return `/v1/files/${encodeURIComponent(value.asset_id)}${thumb && `?${thumb}`}`;
  if (typeof value.url === "string" && value.url.startsWith("/v1/")) return `${value.url}${thumb && `?${thumb}`}`;
  const uri = typeof value.uri === "string" ? value.uri : "";
  if (uri.startsWith("data:image/")) return uri;
  if (!uri || /^[a-z][a-z0-9+.-]*:/i.test(uri) || !file.value.name) return null;
  const name = file.value.name.split("/").map(encodeURIComponent).join("/");
  return `/v1/workflows/${name}/files?path=${encodeURIComponent(uri)}${thumb && `&${thumb}`}`;
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

export function imageFrom(data: DataTransfer | null): Blob | null {
  return [...(data?.files ?? [])].find((one) => one.type.startsWith("image/")) ?? null;
}

export function ImageField(props: FieldProps) {
  const { value, onChange, disabled, compact } = props;
  const chooser = useRef<HTMLInputElement>(null);
  const camera = useRef<HTMLInputElement>(null);
  const [busy, setBusy] = useState("");
  const [over, setOver] = useState(false);
  const url = imageUrl(value, compact ? 256 : 512);
  const name = imageName(value);

  const take = async (blob: Blob | null | undefined): Promise<void> => {
    if (!blob || disabled) return;
    setBusy(`${t.uploading} ${bytesText(blob.size)}`);
    try {
      onChange(await uploaded(blob));
    } catch (error) {
      complain(error);
    } finally {
      setBusy("");
    }
  };
  const choose = (element: HTMLInputElement | null) => () => element?.click();
  return (
    <div
      class={`image-field ${over ? "over" : ""} ${url ? "filled" : ""}`}
      data-field=""
      data-drop-image=""
      onDragOver={(event) => {
        if (!event.dataTransfer?.types.includes("Files")) return;
        event.preventDefault();
        event.stopPropagation();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        const blob = imageFrom(event.dataTransfer);
        setOver(false);
        if (!blob) return;
        event.preventDefault();
        event.stopPropagation();
        void take(blob);
      }}
      onPaste={(event) => {
        const blob = imageFrom(event.clipboardData);
        if (!blob) return;
        event.preventDefault();
        event.stopPropagation();
        void take(blob);
      }}
    >
      <button {...common(props)} type="button" class="image-target" title={t.chooseImage} onClick={choose(chooser.current)}>
        {url ? <img src={url} alt={name || props.label} loading="lazy" draggable={false} /> : <Icon name="image" size={20} />}
        {!url && <span>{busy || name || (compact ? t.chooseImage : t.dropImage)}</span>}
      </button>
      <span class="image-tools">
        {!compact && (
          <IconButton icon="camera" label={t.camera} disabled={disabled ?? false} onClick={choose(camera.current)} class="only-touch" />
        )}
        {url && props.node && <IconButton icon="brush" label={t.paintMask} disabled={disabled ?? false} onClick={() => (dialog.value = { kind: "mask", data: { node: props.node, property: props.property.name, value } })} />}
        {(url || name) && !disabled && <IconButton icon="close" label={t.removeImage} onClick={() => onChange(undefined)} />}
      </span>
      <input ref={chooser} type="file" accept="image/*" hidden tabIndex={-1} onChange={(event) => void take(event.currentTarget.files?.[0])} />
      <input ref={camera} type="file" accept="image/*" capture="environment" hidden tabIndex={-1} onChange={(event) => void take(event.currentTarget.files?.[0])} />
    </div>
  );
}
