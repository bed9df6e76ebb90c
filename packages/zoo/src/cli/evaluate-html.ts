/** The report of `ii evaluate` as one HTML page that needs no other file. */
import { ConfusionMatrix, evaluationReport, type EvaluationState, type ImageScore } from '@ii/ade20k';
import type { LabelMap, RgbImage } from '@ii/tensor/image';
import type { ClassTable } from '../class-names.js';
import { describeWeights } from './choose-model.js';
import { REPORT_STYLE } from './evaluate-html-style.js';
import { classesInImage, overlayAddress } from './evaluate-pictures.js';
import type { EvaluationFacts } from './evaluate-result.js';
import { percent, showRate } from './evaluate-text.js';
import { grouped, showSize } from './table.js';

/** One of the worst images; loaded when its turn comes, so that one is held at a time. */
export interface WorstImage {
  readonly score: ImageScore;
  load(): Promise<{ readonly image: RgbImage; readonly truth: LabelMap; readonly prediction: LabelMap }>;
}

export interface EvaluationPage {
  readonly facts: EvaluationFacts;
  readonly state: EvaluationState;
  readonly classes: ClassTable;
  /** The worst first. */
  readonly worst: readonly WorstImage[];
}

/** Pairs of classes in the list of confusions. */
const CONFUSIONS = 12;

/** Classes named below a picture. */
const CLASSES_OF_IMAGE = 8;

/** The page. */
export async function renderEvaluationPage({ facts, state, classes, worst }: EvaluationPage): Promise<string> {
  const articles: string[] = [];
  for (const image of worst) articles.push(await worstArticle(image, classes));
  const title = `Evaluation of ${facts.title}`;
  const sections = [headline(facts, state), distribution(state), classBars(state, classes), confusions(state, classes)];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}</title>
<style>${REPORT_STYLE}</style>
</head>
<body><main>
<h1>${escape(title)}</h1>
<p class="lead">${escape(subtitle(facts))}</p>
${facts.warning === null ? '' : `<p class="warning">${escape(facts.warning)}</p>`}
${sections.join('\n')}
${articles.length === 0 ? '' : worstSection(articles)}
<footer>Figures are counted as mmsegmentation counts them: over all pixels of all images, unlabelled ones left out.</footer>
</main></body>
</html>
`;
}

const escape = (text: string): string => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

const swatch = ({ palette }: ClassTable, id: number): string =>
  `<i class="swatch" style="background:rgb(${palette[id]?.join(' ') ?? '128 128 128'})"></i>`;

function subtitle({ protocol, mode, scale, crop, stride }: EvaluationFacts): string {
  const protocols: Record<string, string> = { ss: 'one scale', 'ms-flip': 'six scales with flips' };
  const windows = crop && stride ? `windows of ${showSize(crop)} every ${showSize(stride)}` : 'whole images';
  return `${protocols[protocol] ?? protocol}, ${mode === 'slide' ? windows : 'whole images'}, test scale ${showSize(scale)}`;
}

function headline(facts: EvaluationFacts, state: EvaluationState): string {
  const { images, metrics } = evaluationReport(state);
  const figures: [string, string][] = [
    [percent(metrics.mIoU), 'mIoU'],
    [percent(metrics.mAcc), 'mAcc: mean over classes'],
    [percent(metrics.aAcc), 'aAcc: over all pixels'],
    [percent(metrics.mDice), 'mean Dice'],
    [grouped(images), images === 1 ? 'image' : 'images'],
  ];
  const { weights, secondsPerImage, skipped, shard } = facts;
  const rate = secondsPerImage === null || secondsPerImage === 0 ? null : showRate(1 / secondsPerImage);
  const rows: [string, string | null][] = [
    ['weights', describeWeights(weights)],
    ['data', facts.data],
    ['device', `${facts.selection}${rate === null ? '' : `, ${rate}`}`],
    ['shard', shard],
    ['left out', skipped.length === 0 ? null : skipped.map(({ message }) => message).join('; ')],
  ];
  return `<div class="figures">${figures
    .map(
      ([value, name], i) => `<div class="figure${i === 0 ? ' first' : ''}"><b>${value}</b><span>${name}</span></div>`,
    )
    .join('')}</div>
<dl class="facts">${rows
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `<dt>${name}</dt><dd>${escape(value!)}</dd>`)
    .join('')}</dl>`;
}

/** How many images have which mIoU. */
function distribution({ images }: EvaluationState): string {
  const bins = new Array<number>(20).fill(0);
  for (const { mIoU } of images) if (mIoU !== null) bins[Math.min(Math.floor(mIoU * 20), 19)]!++;
  const most = Math.max(...bins, 1);
  const [width, height] = [640, 120];
  const bars = bins.map((count, i) => {
    const size = (count / most) * height;
    const label = `${i * 5} to ${i * 5 + 5} %: ${count} ${count === 1 ? 'image' : 'images'}`;
    return `<rect x="${i * 32 + 2}" y="${(height - size).toFixed(1)}" width="28" height="${size.toFixed(1)}" rx="3"><title>${label}</title></rect>`;
  });
  const ticks = [0, 25, 50, 75, 100].map((value, i) => {
    const anchor = ['start', 'middle', 'middle', 'middle', 'end'][i]!;
    return `<text x="${(value / 100) * width}" y="${height + 17}" text-anchor="${anchor}">${value} %</text>`;
  });
  return `<h2>Images</h2>
<p class="note">How many images have which mIoU. An image's mIoU is the mean over the classes labelled or predicted in it; the longest bar is ${grouped(most)} ${most === 1 ? 'image' : 'images'}.</p>
<svg class="histogram" viewBox="0 0 ${width} ${height + 24}" role="img" aria-label="histogram of the images' mIoU">
${bars.join('')}<line x1="0" x2="${width}" y1="${height}" y2="${height}"/>${ticks.join('')}</svg>`;
}

function classBars(state: EvaluationState, classes: ClassTable): string {
  const { perClass } = evaluationReport(state);
  const rows = perClass.map((entry, id) => ({ ...entry, id }));
  const present = rows.filter(({ iou }) => iou !== null).sort((a, b) => b.iou! - a.iou! || a.id - b.id);
  const absent = rows.filter(({ iou }) => iou === null).map(({ name }) => escape(name));
  const bar = ({ id, name, iou, acc, pixels }: (typeof rows)[number]): string => {
    const tip = `${name}: IoU ${percent(iou)}, accuracy ${percent(acc)}, ${grouped(pixels ?? 0)} labelled pixels`;
    const tick = acc === null ? '' : `<u style="left:${(acc * 100).toFixed(2)}%"></u>`;
    return `<div class="class" title="${escape(tip)}">${swatch(classes, id)}<span class="name">${escape(name)}</span><span class="track"><i style="width:${(iou! * 100).toFixed(2)}%"></i>${tick}</span><span class="value">${percent(iou)}</span></div>`;
  };
  const others = `<details><summary>Neither labelled nor predicted: ${absent.length} of ${perClass.length} classes</summary>${absent.join(', ')}</details>`;
  return `<h2>Classes</h2>
<p class="note"><i class="key"></i> intersection over union, <i class="key tick"></i> accuracy (share of the labelled pixels that were found); the best first.</p>
<div class="classes">${present.map(bar).join('\n')}</div>${absent.length === 0 ? '' : others}`;
}

/** Which class is most often taken for which. */
function confusions({ matrix: stored }: EvaluationState, classes: ClassTable): string {
  const matrix = ConfusionMatrix.fromJSON(stored);
  const { label } = matrix.areas();
  const { numClasses, counts } = matrix;
  const pairs: { truth: number; predicted: number; pixels: number }[] = [];
  for (let truth = 0; truth < numClasses; truth++) {
    for (let predicted = 0; predicted < numClasses; predicted++) {
      const pixels = counts[truth * (numClasses + 1) + predicted]!;
      if (truth !== predicted && pixels > 0) pairs.push({ truth, predicted, pixels });
    }
  }
  if (pairs.length === 0) return '';
  pairs.sort((a, b) => b.pixels - a.pixels);
  const named = (id: number): string => `${swatch(classes, id)}${escape(classes.names[id]!)}`;
  const rows = pairs
    .slice(0, CONFUSIONS)
    .map(
      ({ truth, predicted, pixels }) =>
        `<tr><td>${named(truth)}</td><td>${named(predicted)}</td><td class="right">${percent(pixels / label[truth]!)}</td><td class="right">${grouped(pixels)}</td></tr>`,
    );
  return `<h2>Confusions</h2>
<p class="note">The pairs of classes that cost most pixels.</p>
<table><thead><tr><th>labelled</th><th>predicted</th><th class="right">share of the class</th><th class="right">pixels</th></tr></thead>
<tbody>${rows.join('\n')}</tbody></table>`;
}

const worstSection = (articles: readonly string[]): string => `<h2>Worst images</h2>
<p class="note">The images with the lowest mIoU. Unlabelled parts of the truth show the photo.</p>
${articles.join('\n')}`;

async function worstArticle({ score, load }: WorstImage, classes: ClassTable): Promise<string> {
  const { image, truth, prediction } = await load();
  const { palette, names } = classes;
  const predicted = await overlayAddress(image, prediction, palette, { ignore: false });
  const labelled = await overlayAddress(image, truth, palette, { ignore: true });
  const chips = classesInImage(truth, prediction, names.length, CLASSES_OF_IMAGE).map(
    (entry) =>
      `<span>${swatch(classes, entry.id)}${escape(names[entry.id]!)} <small>${short(entry.predicted)} predicted, ${short(entry.truth)} true</small></span>`,
  );
  const name = escape(score.name);
  return `<article><header><b>${name}</b><span>mIoU ${percent(score.mIoU)} · ${percent(score.aAcc)} of the pixels right</span></header>
<div class="pair">
<figure><img src="${predicted}" alt="prediction for ${name}"><figcaption>prediction</figcaption></figure>
<figure><img src="${labelled}" alt="truth of ${name}"><figcaption>truth</figcaption></figure>
</div>
<div class="chips">${chips.join('')}</div></article>`;
}

const short = (share: number): string => `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
