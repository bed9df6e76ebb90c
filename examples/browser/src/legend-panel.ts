/** The classes of the picture, the largest first, each with its share. */
import type { Legend } from '@ii/tensor/image';
import { element } from './element.js';
import { percent } from './format.js';

const list = element('legend', HTMLElement);
const empty = element('legend-empty', HTMLElement);

/** @param onPick called with the class that is pointed at or has the focus. */
export function showLegend({ entries }: Legend, onPick: (id: number | null) => void): void {
  empty.hidden = entries.length > 0;
  const largest = entries[0]?.share ?? 1;
  list.replaceChildren(
    ...entries.map(({ id, name, colour, share }) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.dataset['id'] = String(id);
      button.style.setProperty('--colour', `rgb(${colour.join(' ')})`);
      button.style.setProperty('--share', String(share / largest));
      button.append(span('swatch', ''), span('name', name), span('share', percent(share)));
      for (const event of ['pointerenter', 'focus']) button.addEventListener(event, () => onPick(id));
      for (const event of ['pointerleave', 'blur']) button.addEventListener(event, () => onPick(null));
      const item = document.createElement('li');
      item.append(button);
      return item;
    }),
  );
}

/** Marks the entry of one class. */
export function markInLegend(id: number | null): void {
  for (const button of list.querySelectorAll('button')) {
    button.classList.toggle('marked', id !== null && button.dataset['id'] === String(id));
  }
}

export function clearLegend(): void {
  list.replaceChildren();
  empty.hidden = false;
}

function span(className: string, text: string): HTMLSpanElement {
  return Object.assign(document.createElement('span'), { className, textContent: text });
}
