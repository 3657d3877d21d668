/** The field that a property is edited with, on a node, in the Inspector, in a form. */
import type { Json } from "../../model/json.ts";
import { isObject } from "../../model/json.ts";
import type { FieldKind } from "../../model/shown.ts";
import type { Property } from "../../net/schema.ts";
import { t } from "../../text.ts";
import { Lazy } from "../Lazy.tsx";
import { ImageField } from "./Image.tsx";
import { NumberField } from "./Number.tsx";
import { PathField } from "./Path.tsx";
import { TextField } from "./Text.tsx";

const models = () => import("./Model.tsx").then(({ ModelField }) => ({ default: ModelField }));
const lists = () => import("./List.tsx").then(({ ListField }) => ({ default: ListField }));
const jsons = () => import("./List.tsx").then(({ JsonField }) => ({ default: JsonField }));

export interface FieldProps {
  /** Of the element, so that a label can name it. */
  id: string;
  property: Property;
  typeName: string;
  kind: FieldKind;
  value: Json | undefined;
  label: string;
  disabled?: boolean | undefined;
  compact?: boolean | undefined;
  invalid?: boolean | undefined;
  /** Whether a model is a part of another one, which has no parts and no settings of its own. */
  plain?: boolean | undefined;
  /** Node whose property it is, where there is one. */
  node?: string | undefined;
  describedBy?: string | undefined;
  /** Undefined sets the default. */
  onChange: (value: Json | undefined) => void;
}

export function Field(props: FieldProps) {
  switch (props.kind) {
    case "number":
    case "slider":
      return <NumberField {...props} />;
    case "switch":
      return <SwitchField {...props} />;
    case "choice":
      return <ChoiceField {...props} />;
    case "color":
      return <ColorField {...props} />;
    case "image":
      return <ImageField {...props} />;
    case "model":
      return <Lazy key="model" load={models} quiet {...props} />;
    case "path":
      return <PathField {...props} />;
    case "list":
      return <Lazy key="list" load={lists} quiet {...props} />;
    case "json":
      return <Lazy key="json" load={jsons} quiet {...props} />;
    case "none":
      return null;
    default:
      return <TextField {...props} />;
  }
}

export function common({ id, label, disabled, invalid, describedBy }: FieldProps) {
  return {
    id,
    "aria-label": label,
    "aria-invalid": invalid || undefined,
    "aria-describedby": describedBy,
    disabled,
    "data-field": "",
  };
}

function SwitchField(props: FieldProps) {
  const on = props.value === true;
  return (
    <span class="switch" data-field="">
      <input {...common(props)} type="checkbox" role="switch" checked={on} onChange={(event) => props.onChange(event.currentTarget.checked)} />
      <span class="switch-text" aria-hidden="true">
        {on ? t.on : t.off}
      </span>
    </span>
  );
}

function ChoiceField(props: FieldProps) {
  const choices = props.property.choices ?? [];
  const at = choices.findIndex((choice) => choice === (props.value ?? null));
  return (
    <select {...common(props)} class="input select" value={String(at)} onChange={(event) => props.onChange(choices[Number(event.currentTarget.value)])}>
      {at < 0 && <option value="-1">{String(props.value ?? t.noValue)}</option>}
      {choices.map((choice, index) => (
        <option key={index} value={String(index)}>
          {choice === "" || choice === null ? t.noValue : String(choice)}
        </option>
      ))}
    </select>
  );
}

function ColorField(props: FieldProps) {
  const text = isObject(props.value) ? String(props.value.value ?? "") : String(props.value ?? "");
  const set = (value: string) => props.onChange(isObject(props.value) || isObject(props.property.default) ? { type: "color", value: value || null } : value);
  return (
    <span class="color-field" data-field="">
      <input type="color" aria-label={props.label} disabled={props.disabled} value={/^#[0-9a-f]{6}$/i.test(text) ? text : "#000000"} onInput={(event) => set(event.currentTarget.value)} />
      <input {...common(props)} class="input" value={text} placeholder={t.noValue} onInput={(event) => set(event.currentTarget.value)} />
    </span>
  );
}
