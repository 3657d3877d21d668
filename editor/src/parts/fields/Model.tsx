import { useEffect } from "preact/hooks";
import { type JsonObject, isObject } from "../../model/json.ts";
import { bytesText, t } from "../../text.ts";
import { loadModels, models, modelsFor, pullModel, pulls } from "../../app/models.ts";
import { status } from "../../app/store.ts";
import { type FieldProps, common } from "./Field.tsx";

/** The id of a model: those on disk are offered, any other can be typed. */
export function ModelField(props: FieldProps) {
  const { value, typeName, onChange } = props;
  useEffect(() => {
    if (models.value === null) void loadModels();
  }, []);
  const held: JsonObject = isObject(value) ? value : {};
  const id = String(held.repo_id ?? "");
  const offered = modelsFor(typeName);
  const found = offered.find((model) => model.id === id);
  const isAway = id !== "" && !/^[./~]/.test(id) && models.value !== null && !found?.on_disk;
  const isHub = /^[\w.-]+\/[\w.-]+$/.test(id);
  const own = status.value?.owner === true;
  const list = `${props.id}-models`;
  const set = (next: string): void => {
    if (next === "" && !isObject(props.property.default)) onChange(undefined);
    else onChange({ ...held, type: held.type ?? typeName.replace(/ \| none$/, ""), repo_id: next });
  };
  return (
    <span class="model-field" data-field="">
      <input {...common(props)} class="input" type="text" list={list} value={id} placeholder={t.defaultModel} autocomplete="off" spellcheck={false} onInput={(event) => set(event.currentTarget.value)} />
      <datalist id={list}>
        {offered.map((model) => (
          <option key={model.id} value={model.id} label={model.on_disk ? `${t.modelHere}${model.size ? `, ${bytesText(model.size)}` : ""}` : t.modelAway} />
        ))}
      </datalist>
      {!props.compact && isAway && <span class="muted small">{t.modelAway}{isHub && own && (pulls.value[id] ? <progress max={1} {...pullShare(id)} aria-label={id} /> : <button type="button" class="text-button" onClick={() => void pullModel(id)}>{t.pull}</button>)}</span>}
    </span>
  );
}

function pullShare(id: string): { value?: number } {
  const { bytes = 0, total = 0 } = pulls.value[id] ?? {};
  return total > 0 ? { value: bytes / total } : {};
}
