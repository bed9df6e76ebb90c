import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { storedByteLength, storedElementCount, writeSafetensors, type FloatTarget } from '@ii/tensor';
import { writeAtomically } from '../atomic-file.js';
import { openCheckpoint, type Checkpoint } from '../checkpoint.js';
import { checkWritable } from '../images/index.js';
import { UsageError } from './output.js';
import type { Session } from './session.js';
import { grouped, showBytes } from './table.js';

/** `ii convert`: checkpoints to safetensors. */
export function addConvert(program: Command, session: Session): void {
  program
    .command('convert')
    .description('write a checkpoint (.pth or .safetensors) as .safetensors, under the names of the model')
    .argument('<in>', 'checkpoint to read')
    .argument('<out>', 'file to write; ends in .safetensors')
    .addOption(
      new Option('--dtype <type>', 'store floating-point tensors so (default: as they are)').choices(['f16', 'f32']),
    )
    .action((from: string, to: string, { dtype }: { dtype?: FloatTarget }) => convert(from, to, dtype, session));
}

async function convert(from: string, to: string, dtype: FloatTarget | undefined, session: Session): Promise<void> {
  const { output, progress, signal } = session;
  if (!to.endsWith('.safetensors')) {
    throw new UsageError(
      `cannot write '${to}': the output is a safetensors file; give it a name that ends in .safetensors`,
    );
  }
  if (resolve(from) === resolve(to)) throw new UsageError(`'${to}' is the input itself; give the output another name`);
  const checkpoint = await openCheckpoint(from, { signal });
  try {
    await checkWritable(to);
    const tensors = [...checkpoint.tensors.values()];
    const total = tensors.reduce((sum, { dtype: stored, shape }) => sum + storedByteLength(stored, shape), 0);
    let read = 0;
    const counted = new Map(
      [...checkpoint.tensors].map(([name, tensor]) => {
        const bytes = async (): Promise<Uint8Array> => {
          const data = await tensor.bytes();
          progress.show(`converting ${checkpoint.name}`, (read += data.byteLength), total);
          return data;
        };
        return [name, { dtype: tensor.dtype, shape: tensor.shape, bytes }];
      }),
    );
    const written = await writeAtomically(to, (sink) =>
      writeSafetensors(counted, sink, { dtype, signal, metadata: metadataOf(checkpoint) }),
    );
    progress.clear();
    const elements = tensors.reduce((sum, { shape }) => sum + storedElementCount(shape), 0);
    output.document({
      input: from,
      output: to,
      format: checkpoint.format,
      dtype: dtype ?? null,
      tensors: tensors.length,
      elements,
      bytes: written,
    });
    output.text(
      `${to}: ${grouped(tensors.length)} tensors, ${grouped(elements)} elements, ${showBytes(written)} (from ${checkpoint.format})`,
    );
  } finally {
    await checkpoint.close();
  }
}

/** Where the tensors came from, and what the model's configuration can be told from later. */
function metadataOf({ name, format, meta }: Checkpoint): Record<string, string> {
  const kept = Object.entries(meta).filter(
    ([key, value]) => key === 'config' || key === 'CLASSES' || typeof value === 'string',
  );
  return {
    ...Object.fromEntries(kept.map(([key, value]) => [key, typeof value === 'string' ? value : JSON.stringify(value)])),
    // `pt` is what readers of safetensors files expect of PyTorch's names and layouts.
    format: 'pt',
    origin: `${name} (${format})`,
  };
}
