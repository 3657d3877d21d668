import { useRef, useState } from "preact/hooks";
import { bytesText, t } from "../../text.ts";
import { complain } from "../../app/running.ts";
import { imageName, imageUrl, uploaded } from "../../app/images.ts";
import { dialog, status } from "../../app/store.ts";
import { Icon, IconButton } from "../Icon.tsx";
import { type FieldProps, common } from "./Field.tsx";

export function imageFrom(data: DataTransfer | null): Blob | null {
  return [...(data?.files ?? [])].find((one) => one.type.startsWith("image/")) ?? null;
}

/** Chooses a file beside the workflow, where a node has the value. */
export function PlaceButton({ field, ends, onChoose }: { field: FieldProps; ends: RegExp | null; onChoose: (path: string) => void }) {
  if (!field.node || field.disabled || status.value?.owner !== true) return null;
  return <IconButton icon="folder" label={t.chooseFile} onClick={() => (dialog.value = { kind: "choose", data: { label: field.label, ends, onChoose } })} />;
}

const IMAGES = /\.(png|jpe?g|webp|gif|tiff?|bmp|avif|hei[cf])$/i;

export function ImageField(props: FieldProps) {
  const { value, onChange, disabled, compact } = props;
  const chooser = useRef<HTMLInputElement>(null);
  const camera = useRef<HTMLInputElement>(null);
  const [busy, setBusy] = useState("");
  const [over, setOver] = useState(false);
  const [missing, setMissing] = useState<string | null>(null);
  const named = imageUrl(value, compact ? 256 : 512);
  const url = named === missing ? null : named;
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
        {url ? <img src={url} alt={name || props.label} loading="lazy" draggable={false} onError={() => setMissing(named)} /> : <Icon name="image" size={20} />}
        {!url && <span>{busy || (named ? t.notThere(name) : name) || (compact ? t.chooseImage : t.dropImage)}</span>}
      </button>
      <span class="image-tools">
        {!compact && (
          <IconButton icon="camera" label={t.camera} disabled={disabled ?? false} onClick={choose(camera.current)} class="only-touch" />
        )}
        <PlaceButton field={props} ends={IMAGES} onChoose={(uri) => onChange({ type: "image", uri })} />
        {url && props.node && <IconButton icon="brush" label={t.paintMask} disabled={disabled ?? false} onClick={() => (dialog.value = { kind: "mask", data: { node: props.node, property: props.property.name, value } })} />}
        {(url || name) && !disabled && <IconButton icon="close" label={t.removeImage} onClick={() => onChange(undefined)} />}
      </span>
      <input ref={chooser} type="file" accept="image/*" hidden tabIndex={-1} onChange={(event) => void take(event.currentTarget.files?.[0])} />
      <input ref={camera} type="file" accept="image/*" capture="environment" hidden tabIndex={-1} onChange={(event) => void take(event.currentTarget.files?.[0])} />
    </div>
  );
}
