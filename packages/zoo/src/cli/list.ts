import type { Command } from 'commander';
import { demoModel } from '../models/demo.js';
import { officialModels } from '../models/official.js';
import { countModel } from '../registry.js';
import type { Output } from './output.js';
import { alignColumns, grouped, showSize } from './table.js';

/** `ii list`: the zoo table, published and computed columns. */
export function addList(program: Command, output: Output): void {
  program
    .command('list')
    .description('the models of the zoo: published results, and #param and FLOPs as computed here')
    .action(() => {
      const rows = officialModels.map((model) => {
        const { name, title, flopsInput, resolution, testScale, published, files } = model;
        return {
          name,
          title,
          ...countModel(model.config, flopsInput),
          flopsInput,
          resolution,
          testScale,
          published,
          files,
        };
      });
      output.document(
        rows.map(({ published, files, ...row }) => ({
          ...row,
          mIoU: published?.mIoU,
          trainSpeed: published?.trainSpeed,
          trainTime: published?.trainTime,
          published: { params: published?.params, flops: published?.flops },
          ...files,
        })),
      );
      const header = [
        'model',
        'crop',
        'mIoU ss',
        'ms',
        '#param',
        'computed',
        'FLOPs',
        'computed',
        'for',
        's/iter',
        'training',
      ];
      const cells = rows.map(({ name, resolution, published, params, flops, flopsInput }) => [
        name,
        showSize(resolution),
        published?.mIoU.ss.toFixed(1) ?? '',
        published?.mIoU.ms.toFixed(1) ?? '',
        published?.params ?? '',
        grouped(params),
        published?.flops ?? '',
        grouped(flops),
        showSize(flopsInput),
        published?.trainSpeed.toFixed(2) ?? '',
        published?.trainTime ?? '',
      ]);
      const [head = '', ...body] = alignColumns([header, ...cells], 'llrrrrrrlrl');
      output.text([output.style('bold', head), ...body].join('\n'));
      output.text(
        '\nADE20K validation mIoU in percent, at one scale (ss) and over scales and flips (ms); trained on A100 GPUs.',
      );
      output.text(`\n${output.style('bold', 'checkpoints')}`);
      output.text(
        alignColumns(
          rows.map(({ name, files }) => [name, files?.checkpoint ?? '']),
          'll',
        ).join('\n'),
      );
      output.text(`\nii info <model> shows a configuration; ${demoModel.name}: ${demoModel.note}.`);
    });
}
