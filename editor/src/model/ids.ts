/** Readable ids of new nodes: `image_to_image`, `blur_2`. */

/** `ImageToImage` → `image_to_image`. */
/** The folder of a workflow's name, or of a path; empty for the topmost. */
export const folderOf = (name: string): string => name.slice(0, Math.max(0, name.lastIndexOf("/")));

export function snake(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replace(/([A-Z]+)([A-Z][a-z])/g, "$1_$2")
    .replace(/[^A-Za-z0-9]+/g, "_")
    .replace(/^_+|_+$/g, "")
    .toLowerCase();
}

/** The first of `base`, `base_2`, `base_3` … that is free. */
export function freeId(base: string, taken: (id: string) => boolean): string {
  const stem = base.replace(/_\d+$/, "") || "node";
  if (!taken(stem)) return stem;
  let number = 2;
  while (taken(`${stem}_${number}`)) number++;
  return `${stem}_${number}`;
}

/** The class of a type: `huggingface.image_to_image.ImageToImage` → `ImageToImage`. */
export function className(type: string): string {
  return type.slice(type.lastIndexOf(".") + 1);
}

export function idFor(type: string, taken: (id: string) => boolean): string {
  return freeId(snake(className(type)) || "node", taken);
}
