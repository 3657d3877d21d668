import { useEffect } from "preact/hooks";
import { type Json, type JsonObject, isObject } from "../../model/json.ts";
import { fieldKind } from "../../model/shown.ts";
import { labelOf } from "../../model/types.ts";
import { bytesText, t } from "../../text.ts";
import { loadModels, models, modelsFor, pullModel, pulls } from "../../app/models.ts";
import { status, types } from "../../app/store.ts";
import { Field, type FieldProps, common } from "./Field.tsx";

const bare = (typeName: string): string => typeName.replace(/ \| none$/, "");

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
    else onChange({ ...held, type: held.type ?? bare(typeName), repo_id: next });
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
      {!props.compact && !props.plain && props.node && <MoreOfModel {...props} held={held} onSet={(name, next) => onChange(changed(held, typeName, name, next))} />}
    </span>
  );
}

function changed(held: JsonObject, typeName: string, name: string, value: Json | undefined): JsonObject {
  const whole: JsonObject = { repo_id: "", ...held, type: held.type ?? bare(typeName) };
  const { [name]: _before, ...rest } = whole;
  return value === undefined || value === null || value === "" ? rest : { ...rest, [name]: value };
}

/** How a model is computed and what its parts are: fields for all that a reference to one can have. */
function MoreOfModel({ held, onSet, ...props }: FieldProps & { held: JsonObject; onSet: (name: string, value: Json | undefined) => void }) {
  const found = types.value.catalogue.models;
  const given = found.filter((one) => held[one.name] !== undefined && held[one.name] !== null);
  return (
    <details class="more-fields model-more">
      <summary>{t.moreOfModel}{given.length > 0 && <span class="tag">{given.map((one) => labelOf(one.name)).join(", ")}</span>}</summary>
      {found.map((property) => {
        const id = `${props.id}-${property.name}`;
        const value = held[property.name] ?? undefined;
        return (
          <div class="field" key={property.name}>
            <div class="field-head"><label for={id}>{labelOf(property.name)}</label></div>
            <Field {...props} id={id} property={property} typeName={types.value.info(property.type).name} kind={fieldKind(property, types.value, value)} value={value} label={labelOf(property.name)} describedBy={`${id}-about`} invalid={false} plain onChange={(next) => onSet(property.name, next)} />
            <p class="field-about" id={`${id}-about`}>{property.description.replaceAll("`", "")}</p>
          </div>
        );
      })}
    </details>
  );
}

function pullShare(id: string): { value?: number } {
  const { bytes = 0, total = 0 } = pulls.value[id] ?? {};
  return total > 0 ? { value: bytes / total } : {};
}
