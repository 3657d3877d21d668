/** A text as far as there is room for it, with an ellipsis where that is not all of it. */
export function shortened(context: CanvasRenderingContext2D, text: string, width: number): string {
  if (context.measureText(text).width <= width) return text;
  let [fits, most] = [0, text.length];
  while (fits < most) {
    const middle = Math.ceil((fits + most) / 2);
    if (context.measureText(`${text.slice(0, middle)}…`).width <= width) fits = middle;
    else most = middle - 1;
  }
  return fits > 0 ? `${text.slice(0, fits).trimEnd()}…` : "";
}
