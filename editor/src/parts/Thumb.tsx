/** A small image of a workflow, or a sign in its place. */
import { useState } from "preact/hooks";
import { thumbnail } from "../net/api.ts";
import { Icon } from "./Icon.tsx";

interface Props {
  url: string | null;
  side: number;
  /** Pixels of the sign. */
  icon?: number;
}

export function Thumb({ url, side, icon = 16 }: Props) {
  const [missing, setMissing] = useState<string | null>(null);
  if (!url || url === missing) return <span class="no-image"><Icon name="graph" size={icon} /></span>;
  return <img src={thumbnail(url, side)} alt="" loading="lazy" onError={() => setMissing(url)} />;
}
