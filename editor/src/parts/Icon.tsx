/** Icons as paths of 16 × 16, in the colour of the text. */
const PATHS = {
  play: "M5 3.2v9.6l7.6-4.8z",
  stop: "M4 4h8v8H4z",
  undo: "M6.5 3 3 6.5 6.5 10M3.5 6.5h6a3.5 3.5 0 0 1 0 7H6",
  redo: "M9.5 3 13 6.5 9.5 10M12.5 6.5h-6a3.5 3.5 0 0 0 0 7H10",
  search: "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zM10.6 10.6 14 14",
  plus: "M8 3v10M3 8h10",
  minus: "M3 8h10",
  close: "M4 4l8 8M12 4l-8 8",
  down: "M4 6l4 4 4-4",
  right: "M6 4l4 4-4 4",
  left: "M10 4 6 8l4 4",
  up: "M4 10l4-4 4 4",
  more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  fit: "M3 6V3h3M10 3h3v3M13 10v3h-3M6 13H3v-3",
  star: "M8 2.2l1.8 3.7 4 .6-2.9 2.8.7 4L8 11.4l-3.6 1.9.7-4L2.200 6.500l4-.6z",
  image: "M2.500 3.500h11v9h-11zM2.500 11l3.200-3.200 2.600 2.600 1.800-1.800 3.400 3.400M10.500 6.300h.01",
  file: "M4 2h5l3 3v9H4zM9 2v3h3",
  folder: "M2 4h4l1.500 1.500H14V12.500H2z",
  trash: "M3 4.500h10M6.500 4.500V3h3v1.500M4.500 4.500l.6 8.500h5.800l.6-8.500",
  dice: "M3 3h10v10H3zM6 6h.01M10 10h.01M10 6h.01M6 10h.01",
  pin: "M6 2.500h4l-.5 4 2 2.500h-7l2-2.500zM8 9v4.500",
  list: "M3 4h.01M6 4h7M3 8h.01M6 8h7M3 12h.01M6 12h7",
  grid: "M3 3h4v4H3zM9 3h4v4H9zM3 9h4v4H3zM9 9h4v4H9z",
  panel: "M2.500 3h11v10h-11zM6 3v10",
  panelRight: "M2.500 3h11v10h-11zM10 3v10",
  link: "M6.500 9.500l3-3M7 4.800l1-1a2.600 2.600 0 0 1 3.800 3.800l-1 1M9 11.200l-1 1A2.600 2.600 0 0 1 4.200 8.400l1-1",
  copy: "M5.500 5.500h7.500v8H5.500zM10.500 5.500v-3H3v8h2.500",
  brush: "M13.500 2.500 7 9M7 9c-2 0-3 1-3 3 0 .8-.7 1.500-1.500 1.500 1.500.7 6 .7 6-2.500 0-1-.5-2-1.500-2z",
  save: "M3 3h8l2 2v8H3zM5.500 3v3.500h4V3M5.500 13V9.500h5V13",
  download: "M8 2.500v7.500M4.800 7 8 10.200 11.200 7M3 13h10",
  swap: "M2.500 6h10L9.500 3M13.500 10h-10l3 3",
  form: "M3 3h10v3H3zM3 8.500h10v4.500H3z",
  graph: "M2.500 3h4v4h-4zM9.500 9h4v4h-4zM6.500 5H8.500c1.500 0 1.500 6 1 6",
  clock: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 4.800V8l2.200 1.500",
  cube: "M8 2l5.500 3v6L8 14l-5.500-3V5zM2.500 5 8 8l5.500-3M8 8v6",
  again: "M13 4v3.500H9.500M12.700 7.500A5 5 0 1 0 13 9.500",
  check: "M3.500 8.500l3 3 6-7",
  camera: "M2.500 5h2.500l1-1.500h4l1 1.500h2.500v7.500h-11zM8 10.800a2.200 2.200 0 1 0 0-4.400 2.200 2.200 0 0 0 0 4.400z",
} as const;

export type IconName = keyof typeof PATHS;

const FILLED = new Set<IconName>(["play", "stop"]);

export function Icon({ name, size = 16, filled }: { name: IconName; size?: number; filled?: boolean }) {
  const solid = filled ?? FILLED.has(name);
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 16 16" aria-hidden="true" fill={solid ? "currentColor" : "none"} stroke="currentColor" stroke-width="1.4" stroke-linecap="round" stroke-linejoin="round">
      <path d={PATHS[name]} />
    </svg>
  );
}

interface ButtonProps {
  /** Whether Tab goes past it: another control does the same. */
  skipped?: boolean | undefined;
  icon: IconName;
  label: string;
  onClick: (event: MouseEvent) => void;
  pressed?: boolean | undefined;
  disabled?: boolean;
  class?: string;
  filled?: boolean;
  hint?: string | undefined;
}

export function IconButton({ icon, label, onClick, pressed, disabled, class: extra = "", filled, hint, skipped }: ButtonProps) {
  return (
    <button type="button" class={`icon-button ${extra}`} aria-label={label} title={hint ? `${label}  ${hint}` : label} aria-pressed={pressed} disabled={disabled} tabIndex={skipped ? -1 : undefined} onClick={onClick}>
      <Icon name={icon} {...(filled === undefined ? {} : { filled })} />
    </button>
  );
}
