import type { Legend, Rgb } from '@ii/tensor/image';
import { fitText, textPaths, textWidth, wrapText } from './stroke-font.js';

/** Colours of the panel around a photo. */
export interface Theme {
  readonly background: Rgb;
  readonly text: string;
  readonly muted: string;
  readonly line: string;
  readonly warningBackground: string;
  readonly warningText: string;
}

/** White, for documents, and dark, for screens. */
export const THEMES = {
  light: {
    background: [255, 255, 255],
    text: '#1f2328',
    muted: '#667079',
    line: '#d9dee3',
    warningBackground: '#fff1cc',
    warningText: '#6f4400',
  },
  dark: {
    background: [24, 27, 31],
    text: '#eceff2',
    muted: '#98a2ac',
    line: '#3a4149',
    warningBackground: '#493610',
    warningText: '#ffdc94',
  },
} as const satisfies Record<string, Theme>;

/** A drawing and the rectangle that it fills, in pixels. */
export interface Panel {
  readonly svg: string;
  readonly width: number;
  readonly height: number;
}

/** One line of the legend; no colour means an outlined swatch, `swatch: false` none. */
interface Row {
  readonly name: string;
  readonly share: number;
  readonly colour?: Rgb;
  readonly swatch: boolean;
}

/** `38.4%`, and `<0.1%` for what would round to zero. */
export function formatShare(share: number): string {
  return share > 0 && share < 0.0005 ? '<0.1%' : `${(share * 100).toFixed(1)}%`;
}

function rowsOf({ entries, unlabelled }: Legend, maxEntries: number): Row[] {
  const rows: Row[] = entries
    .slice(0, maxEntries)
    .map(({ name, share, colour }) => ({ name, share, colour, swatch: true }));
  const rest = entries.slice(maxEntries);
  if (rest.length > 0) {
    const share = rest.reduce((sum, entry) => sum + entry.share, 0);
    rows.push({ name: `and ${rest.length} more`, share, swatch: false });
  }
  if (unlabelled > 0) rows.push({ name: 'unlabelled', share: unlabelled, swatch: true });
  return rows;
}

/** Lengths of the panel, all derived from the text size. */
interface Metrics {
  readonly size: number;
  readonly padding: number;
  readonly rowHeight: number;
  readonly headerHeight: number;
  readonly swatch: number;
  readonly columnWidth: number;
  readonly columnGap: number;
}

/** No column is wider than 13 em of name: longer names are shortened. */
const MAX_NAME_EM = 13;

function measure(rows: readonly Row[], size: number): Metrics {
  const names = Math.max(...rows.map(({ name }) => textWidth(name, size)), 4 * size);
  const swatch = Math.round(size * 1.1);
  const nameWidth = Math.min(names, MAX_NAME_EM * size);
  return {
    size,
    padding: Math.round(size * 1.3),
    rowHeight: Math.round(size * 1.75),
    headerHeight: Math.round(size * 2.3),
    swatch,
    columnWidth: Math.ceil(swatch + size * 0.6 + nameWidth + size * 1.3 + textWidth('100.0%', size)),
    columnGap: Math.round(size * 2.2),
  };
}

function drawRow(row: Row, x: number, y: number, metrics: Metrics, theme: Theme): string {
  const { size, rowHeight, swatch, columnWidth } = metrics;
  const baseline = y + rowHeight / 2 + size * 0.35;
  const shareText = formatShare(row.share);
  const textX = x + swatch + size * 0.6;
  const room = columnWidth - (textX - x) - textWidth(shareText, size) - size * 0.6;
  const quiet = row.colour === undefined;
  const side = swatch - 1;
  const box = `x="${x + 0.5}" y="${y + Math.round((rowHeight - swatch) / 2) + 0.5}" width="${side}" height="${side}" rx="${size * 0.22}"`;
  const square = row.colour
    ? `<rect ${box} fill="rgb(${row.colour.join()})" stroke="#000" stroke-opacity=".22"/>`
    : `<rect ${box} fill="none" stroke="${theme.muted}" stroke-dasharray="${size * 0.2}"/>`;
  return [
    row.swatch ? square : '',
    textPaths(fitText(row.name, size, room), textX, baseline, { size, colour: quiet ? theme.muted : theme.text }),
    textPaths(shareText, x + columnWidth, baseline, { size, colour: theme.muted, anchor: 'end' }),
  ].join('');
}

/** Where the legend stands and how much room there is in the other direction, in pixels. */
export type Placement = { readonly beside: number } | { readonly below: number };

/**
 * The list of classes: swatch, name and share of pixels, in as many columns as the room asks for.
 *
 * @param placement `beside` a photo of that height, or `below` one of that width.
 * @param maxEntries More classes than this are summed up in a line "and n more".
 */
export function legendPanel(
  content: Legend,
  placement: Placement,
  size: number,
  maxEntries: number,
  theme: Theme,
): Panel {
  const rows = rowsOf(content, maxEntries);
  const metrics = measure(rows, size);
  const { padding, rowHeight, headerHeight, columnWidth, columnGap } = metrics;
  const count = Math.max(rows.length, 1);
  let columns: number;
  if ('beside' in placement) {
    const fitting = Math.max(Math.floor((placement.beside - 2 * padding - headerHeight) / rowHeight), 6);
    columns = Math.min(Math.ceil(count / fitting), 2);
  } else {
    const fitting = Math.floor((placement.below - 2 * padding + columnGap) / (columnWidth + columnGap));
    columns = Math.min(Math.max(fitting, 1), count);
  }
  const perColumn = Math.ceil(count / columns);
  const listWidth = columns * columnWidth + (columns - 1) * columnGap;
  const ownWidth = 2 * padding + listWidth;
  const ownHeight = 2 * padding + headerHeight + perColumn * rowHeight;
  const width = 'below' in placement ? Math.max(ownWidth, placement.below) : ownWidth;
  const height = 'beside' in placement ? Math.max(ownHeight, placement.beside) : ownHeight;

  const classes = content.entries.length;
  const title = classes === 1 ? '1 class' : `${classes} classes`;
  const roomForShare = listWidth - textWidth(title, size) - size;
  const shareTitle = textWidth('share of pixels', size * 0.85) <= roomForShare ? 'share of pixels' : 'share';
  const ruleY = padding + Math.round(size * 1.5) + 0.5;
  const ruleEnd = width - padding;
  const parts = [
    `<rect width="${width}" height="${height}" fill="rgb(${theme.background.join()})"/>`,
    textPaths(title, padding, padding + size * 0.85, { size, colour: theme.text, weight: 0.12 }),
    textPaths(shareTitle, ruleEnd, padding + size * 0.85, {
      size: size * 0.85,
      colour: theme.muted,
      anchor: 'end',
    }),
    `<path d="M${padding} ${ruleY}H${ruleEnd}" stroke="${theme.line}" stroke-width="${Math.max(Math.round(size / 18), 1)}"/>`,
    ...rows.map((row, index) => {
      const column = Math.floor(index / perColumn);
      const x = padding + column * (columnWidth + columnGap);
      return drawRow(row, x, padding + headerHeight + (index % perColumn) * rowHeight, metrics, theme);
    }),
  ];
  return { svg: svgDocument(width, height, parts), width, height };
}

/**
 * The lines below everything: a quiet caption, and a warning on a coloured strip. Undefined without either.
 *
 * @param legendSize Text size of the legend above; these lines are a little smaller, and start at the legend's margin.
 */
export function footerPanel(
  width: number,
  legendSize: number,
  text: { readonly caption?: string | undefined; readonly warning?: string | undefined },
  theme: Theme,
): Panel | undefined {
  const padding = Math.round(legendSize * 1.3);
  const size = Math.max(Math.round(legendSize * 0.9), 13);
  const lineHeight = Math.round(size * 1.5);
  const blocks = [
    { lines: lines(text.warning), background: theme.warningBackground, colour: theme.warningText, weight: 0.1 },
    {
      lines: lines(text.caption),
      background: `rgb(${theme.background.join()})`,
      colour: theme.muted,
      weight: 0.085,
    },
  ].filter((block) => block.lines.length > 0);
  if (blocks.length === 0) return undefined;

  function lines(content: string | undefined): string[] {
    return content ? wrapText(content, size, width - 2 * padding) : [];
  }
  const inset = Math.round(size * 0.6);
  const parts: string[] = [];
  let y = 0;
  for (const block of blocks) {
    const blockHeight = 2 * inset + block.lines.length * lineHeight;
    parts.push(`<rect y="${y}" width="${width}" height="${blockHeight}" fill="${block.background}"/>`);
    for (const [index, line] of block.lines.entries()) {
      const baseline = y + inset + (index + 0.5) * lineHeight + size * 0.35;
      parts.push(textPaths(line, padding, baseline, { size, colour: block.colour, weight: block.weight }));
    }
    y += blockHeight;
  }
  return { svg: svgDocument(width, y, parts), width, height: y };
}

function svgDocument(width: number, height: number, parts: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${parts.join('')}</svg>`;
}
