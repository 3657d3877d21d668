import { useState } from "preact/hooks";
import { numberOf, parseJson } from "../../model/json.ts";
import { isBounded } from "../../model/shown.ts";
import { t } from "../../text.ts";
import { runSelection, usedSeed } from "../../app/running.ts";
import { runTick } from "../../app/store.ts";
import { IconButton } from "../Icon.tsx";
import { type FieldProps, common } from "./Field.tsx";

/** A number; beside it a slider where both bounds are known. Big numbers keep all their digits. */
export function NumberField(props: FieldProps) {
  const { value, property, onChange, typeName } = props;
  const [draft, setDraft] = useState<string | null>(null);
  const shown = value === null || value === undefined ? "" : String(value);
  const low = property.min ?? property.above;
  const high = property.max ?? property.below;
  const whole = /^int\b/.test(typeName);
  const step = property.step ?? (whole ? 1 : stepFor(low, high));

  const set = (text: string): void => {
    setDraft(text);
    if (text.trim() === "") {
      onChange(/none/.test(typeName) ? null : undefined);
      return;
    }
    try {
      const read = parseJson(text.trim().replace(/^\+/, "").replace(/^(-?)\./, "$10."));
      if (numberOf(read) !== undefined) onChange(read);
    } catch {
      // Not a number yet: "-" is on its way to one.
    }
  };
  const nudge = (by: number): void => {
    const now = numberOf(value) ?? 0;
    const next = Math.min(high ?? Infinity, Math.max(low ?? -Infinity, now + by * step));
    onChange(whole ? Math.round(next) : Number(next.toFixed(6)));
    setDraft(null);
  };
  const input = (
    <input
      {...common(props)}
      class="input number"
      type="text"
      inputMode={whole ? "numeric" : "decimal"}
      role="spinbutton"
      aria-valuenow={numberOf(value)}
      aria-valuemin={low}
      aria-valuemax={high}
      autocomplete="off"
      value={draft ?? shown}
      onInput={(event) => set(event.currentTarget.value)}
      onBlur={() => setDraft(null)}
      onKeyDown={(event) => {
        if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
        event.preventDefault();
        nudge((event.key === "ArrowUp" ? 1 : -1) * (event.shiftKey ? 10 : 1));
      }}
    />
  );
  if (property.seed) return <SeedField {...props}>{input}</SeedField>;
  if (!isBounded(property)) return input;
  return (
    <span class="slider" data-field="">
      <input
        type="range"
        tabIndex={-1}
        aria-label={props.label}
        disabled={props.disabled}
        min={low}
        max={high}
        step={step}
        value={numberOf(value) ?? low}
        onInput={(event) => {
          onChange(Number(event.currentTarget.value));
          setDraft(null);
        }}
      />
      {input}
    </span>
  );
}

function stepFor(low: number | undefined, high: number | undefined): number {
  if (low === undefined || high === undefined) return 0.1;
  const range = high - low;
  return range <= 2 ? 0.01 : range <= 20 ? 0.1 : 1;
}

function SeedField({ children, ...props }: FieldProps & { children: preact.ComponentChild }) {
  runTick.value;
  const drawn = numberOf(props.value) === -1;
  const used = drawn && props.node ? usedSeed(props.node, props.property.name) : null;
  return (
    <span class="seed" data-field="">
      {children}
      {used !== null && !props.compact && <span class="muted small">{t.usedSeed(used)}</span>}
      {used !== null && (
        <button type="button" class="text-button" title={t.useThisSeed} disabled={props.disabled} onClick={() => props.onChange(parseJson(used))}>
          {props.compact ? `${t.pin} ${used}` : t.pin}
        </button>
      )}
      {used !== null && !props.compact && <button type="button" class="text-button" title={t.runAgain} onClick={() => void runSelection()}>{t.againSeed}</button>}
      {drawn && used === null && !props.compact && <span class="muted">{t.eachTime}</span>}
      <IconButton icon="dice" skipped={props.compact} label={t.newSeed} pressed={drawn} disabled={props.disabled ?? false} onClick={() => props.onChange(-1)} />
    </span>
  );
}
