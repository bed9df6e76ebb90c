/** The curves of training logs as a picture. */
import type { TrainingLog } from '../training/index.js';

/** A log and what the chart calls it. */
export interface NamedLog {
  readonly name: string;
  readonly log: TrainingLog;
}

const WIDTH = 800;
const HEIGHT = 320;

/** One value of one log. */
interface Point {
  readonly name: string;
  readonly iter: number;
  readonly value: number;
}

/** A panel of the chart; one that has no points is left out. */
interface Panel {
  readonly label: string;
  readonly points: readonly Point[];
  /** Whether single evaluations are marked. */
  readonly dots: boolean;
}

/**
 * Draws loss, learning rate and, where there are evaluations, mIoU over the iterations, one line for each log.
 *
 * @returns an SVG document.
 */
export async function drawLogs(logs: readonly NamedLog[]): Promise<string> {
  // Imported on use: they take longer to load than other commands take to run.
  const [Plot, { parseHTML }] = await Promise.all([import('@observablehq/plot'), import('linkedom')]);
  const { document } = parseHTML('<!DOCTYPE html><html></html>');
  const panels = panelsOf(logs).filter(({ points }) => points.length > 0);
  const drawn = panels.map(({ label, points, dots }, row) => {
    const xy = { x: 'iter', y: 'value', z: 'name', stroke: 'name' };
    const chart = Plot.plot({
      document,
      ...{ width: WIDTH, height: HEIGHT, marginLeft: 64, marginRight: 140 },
      x: { label: 'iteration' },
      y: { label, grid: true, nice: true },
      marks: [
        Plot.lineY(points, xy),
        ...(dots ? [Plot.dot(points, { ...xy, fill: 'name', r: 3 })] : []),
        Plot.text(points, Plot.selectLast({ x: 'iter', y: 'value', z: 'name', text: 'name', fill: 'name', ...BESIDE })),
      ],
    });
    chart.setAttribute('y', String(row * HEIGHT));
    return chart.outerHTML;
  });
  const size = `width="${WIDTH}" height="${panels.length * HEIGHT}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size}><rect ${size} fill="white"/>${drawn.join('')}</svg>\n`;
}

/** Where a line's name stands. */
const BESIDE = { textAnchor: 'start', dx: 6 } as const;

function panelsOf(logs: readonly NamedLog[]): Panel[] {
  const gather = (points: (log: TrainingLog) => readonly (readonly [iter: number, value: number | null])[]): Point[] =>
    logs.flatMap(({ name, log }) =>
      points(log).flatMap(([iter, value]) => (value === null ? [] : [{ name, iter, value }])),
    );
  return [
    { label: 'loss', points: gather(({ train }) => train.map(({ iter, loss }) => [iter, loss])), dots: false },
    { label: 'learning rate', points: gather(({ train }) => train.map(({ iter, lr }) => [iter, lr])), dots: false },
    {
      label: 'mIoU in percent',
      points: gather(({ validation }) => validation.map(({ iter, mIoU }) => [iter, mIoU === null ? null : 100 * mIoU])),
      dots: true,
    },
  ];
}
