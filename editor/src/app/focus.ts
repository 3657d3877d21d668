/** Puts the focus where something is about to be: parts of the page come when they are first needed. */

const MOST_FRAMES = 120;

export function focusSoon(selector: string, frames = MOST_FRAMES): void {
  requestAnimationFrame(() => {
    const shown = [...document.querySelectorAll<HTMLElement>(selector)].find((one) => one.getClientRects().length);
    if (shown instanceof HTMLInputElement) shown.select();
    else if (shown instanceof HTMLTextAreaElement) shown.setSelectionRange(shown.value.length, shown.value.length);
    if (shown) shown.focus();
    else if (frames > 0) focusSoon(selector, frames - 1);
  });
}
